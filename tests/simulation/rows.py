"""The rows of the twin: what Postgres would hold, in memory, and what people do to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from jobs.held import Held
from jobs.log.frames import Chunk, Position
from jobs.stat_pages import Reading
from jobs.states import LIVE_PHASES, TERMINAL, JobState, Phase, Who, job_states_before
from orchestrator.scheduling.snapshot import Demand
from projects.notify import EngineWord
from providers.driver import Health, Probe

PROJECT = 1


@dataclass(slots=True)
class ProviderRow:
    """A provider as an operator made it and probes found it (providers/fit.py's Choice)."""

    pk: int
    name: str
    kind: str = "simulated"
    options: Mapping[str, Any] = field(default_factory=dict)
    labels: Mapping[str, Any] = field(default_factory=dict)
    mode: str = "active"
    health: str = "unknown"
    probed_at: datetime | None = None
    total_cpu_millis: int = 0
    total_memory_mb: int = 0
    total_gpus: int = 0
    slots: int | None = None
    disk_free_bytes: int | None = None
    disk_total_bytes: int | None = None
    packs: bool = False
    cost_per_hour: float = 0.0
    lost_after_seconds: int | None = None
    rev: int = 0
    deleted: bool = False

    def probed(self, probe: Probe, now: datetime) -> None:
        """Take in what a probe found."""
        self.health, self.probed_at = probe.health.value, now
        if probe.cpu_cores is not None:
            self.total_cpu_millis = round(probe.cpu_cores * 1000)
            self.total_memory_mb = probe.memory_mb or 0
            self.total_gpus = probe.gpus
            self.disk_free_bytes = probe.disk_free_bytes
            self.disk_total_bytes = probe.disk_total_bytes


@dataclass(slots=True)
class ClassRow:
    """Why the jobs of one class wait."""

    pk: int
    reason: str = "queued"
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class JobRow:
    """A job (jobs/following.py's Followed)."""

    pk: int
    demand: Demand
    kind: ClassRow
    spec: Mapping[str, Any]
    queued_at: datetime
    priority: int = 50
    held: bool = False
    queue_timeout_seconds: int | None = None
    queue_until: datetime | None = None
    waits_on: bool = False
    """It was given back before it ran: its wait has not begun anew."""
    state: str = JobState.PENDING
    reason: str = "queued"
    detail: Mapping[str, Any] = field(default_factory=dict)
    rev: int = 1
    provider: int | None = None
    attempt: int = 0
    charged: int = 0
    not_before: datetime | None = None
    cancel_requested_at: datetime | None = None
    cancel_requested_by: str = ""
    exit_code: int | None = None

    @property
    def in_line(self) -> bool:
        """Whether it may be placed now."""
        return self.state == JobState.PENDING and not self.held and self.not_before is None

    def limit_from(self, now: datetime) -> datetime | None:
        """When a wait in line that begins now is too long."""
        limit = self.queue_timeout_seconds
        return None if limit is None else now + timedelta(seconds=limit)

    @property
    def told(self) -> str:
        """The reason it waits for, or ended with."""
        told_its_class = self.in_line and self.kind.reason != "queued"
        return self.kind.reason if told_its_class else self.reason


@dataclass(slots=True)
class AttemptRow:
    """One try of a job."""

    pk: int
    job: JobRow
    number: int
    uid: str
    provider: int
    phase: Phase = Phase.PLACED
    term: int = 0
    outcome: str = ""
    reason: str = ""
    handle: Mapping[str, Any] | None = None
    fencing: bool = False
    started_at: datetime | None = None
    finished_at: datetime | None = None
    exit_code: int | None = None
    log: Position = field(default_factory=Position)
    cursor: Mapping[str, Any] | None = None
    chunks: list[Chunk] = field(default_factory=list)
    readings: list[Reading] = field(default_factory=list)
    log_complete: bool | None = None
    log_note: str = ""
    progress: Mapping[str, Any] = field(default_factory=dict)
    unseen: bool = False
    removed: bool = False


@dataclass(slots=True)
class LeaseRow:
    """Who holds a name, at which term, until when."""

    holder: str
    term: int
    expires_at: datetime


@dataclass(slots=True)
class RequestRow:
    """What web asked of an engine."""

    pk: int
    provider: int
    kind: str
    args: Mapping[str, Any]
    deadline: datetime
    status: str = "waiting"
    steps: Sequence[Mapping[str, Any]] = ()


class Rows:
    """All rows. `now` is the database's clock; `notify` hears what NOTIFY would tell."""

    def __init__(
        self,
        now: Callable[[], datetime],
        new_uid: Callable[[], str],
        notify: Callable[[EngineWord], None] = lambda word: None,
    ) -> None:
        self.now = now
        self.new_uid = new_uid
        self.notify = notify
        self.jobs: dict[int, JobRow] = {}
        self.classes: dict[tuple[int, Demand], ClassRow] = {}
        """By priority and demand."""
        self.attempts: dict[int, AttemptRow] = {}
        self.live: dict[int, AttemptRow] = {}
        """The attempts that have not ended."""
        self.providers: dict[int, ProviderRow] = {}
        self.leases: dict[str, LeaseRow] = {}
        self.requests: dict[int, RequestRow] = {}
        self.changed: list[JobRow | AttemptRow] = []
        """What was written since a checker looked last."""

    def held(self) -> dict[int, Held]:
        """What live attempts hold on each provider."""
        held: dict[int, Held] = {}
        for attempt in self.live.values():
            was, demand = held.get(attempt.provider, Held()), attempt.job.demand
            held[attempt.provider] = Held(
                was.cpu_millis + demand.cpu_millis,
                was.memory_mb + demand.memory_mb,
                was.gpus + demand.gpus,
                was.attempts + 1,
            )
        return held

    def live_of(self, job: JobRow) -> AttemptRow | None:
        """The live attempt of a job."""
        return next((a for a in self.live.values() if a.job is job), None)

    def touch(self, job: JobRow) -> None:
        """A job has changed."""
        job.rev += 1
        self.changed.append(job)

    # --- people's hands ---

    def add_provider(self, name: str, *, cpu_millis: int = 4000, **values: Any) -> ProviderRow:
        """A healthy, active provider."""
        row = ProviderRow(
            pk=len(self.providers) + 1,
            name=name,
            health=Health.HEALTHY.value,
            probed_at=self.now(),
            total_cpu_millis=cpu_millis,
            total_memory_mb=8192,
            **values,
        )
        self.providers[row.pk] = row
        return row

    def edit_provider(self, provider: int, **values: Any) -> None:
        """An operator edits it."""
        row = self.providers[provider]
        for name, value in values.items():
            setattr(row, name, value)
        row.rev += 1
        self.notify("providers")

    def submit(self, demand: Demand, spec: Mapping[str, Any], **values: Any) -> JobRow:
        """A person submits a job."""
        asked = (values.get("priority", 50), demand)
        kind = self.classes.setdefault(asked, ClassRow(len(self.classes) + 1))
        row = JobRow(len(self.jobs) + 1, demand, kind, spec, queued_at=self.now(), **values)
        row.queue_until = row.limit_from(self.now())
        self.jobs[row.pk] = row
        self.notify("jobs")
        return row

    def cancel(self, job: int, by: str) -> None:
        """A person cancels it: at once while it is pending, else by a wish to its host."""
        row = self.jobs[job]
        if row.state in TERMINAL or row.cancel_requested_at is not None:
            return
        row.cancel_requested_at, row.cancel_requested_by = self.now(), by
        if row.state in job_states_before(JobState.CANCELLED, Who.USER):
            row.state, row.reason, row.detail = JobState.CANCELLED, "cancelled", {"by": by}
            row.not_before = None
        else:
            self.notify("cancel")
        self.touch(row)

    def request(self, provider: int, kind: str) -> RequestRow:
        """Web asks something of an engine."""
        row = RequestRow(
            len(self.requests) + 1, provider, kind, {}, self.now() + timedelta(minutes=1)
        )
        self.requests[row.pk] = row
        self.notify("requests")
        return row

    def is_live(self, attempt: AttemptRow) -> bool:
        """Whether it has not ended, by its own row."""
        return attempt.phase in LIVE_PHASES
