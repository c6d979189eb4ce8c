"""One fake run: what was done to it, and, by arithmetic, where it is at a given time."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Any

from providers.driver import Observation, Owned, RunSpec, RunState
from providers.drivers.fake.script import Script, parse

SIGKILLED = 137


@dataclass(frozen=True, slots=True)
class Run:
    """The record of one run. Times are nanoseconds since the epoch; None: not happened."""

    instance: str
    job: int
    attempt: int
    uid: str
    term: int
    words: tuple[str, ...]
    cpu_cores: float
    memory_mb: int
    created_ns: int
    starts: int = 0
    started_ns: int | None = None
    term_ns: int | None = None
    killed_ns: int | None = None
    error: str = ""

    @classmethod
    def of(cls, spec: RunSpec, now_ns: int) -> Run:
        return cls(
            instance=spec.instance,
            job=spec.job,
            attempt=spec.attempt,
            uid=spec.uid,
            term=spec.term,
            words=spec.entrypoint + spec.args,
            cpu_cores=spec.cpu_cores,
            memory_mb=spec.memory_mb,
            created_ns=now_ns,
        )

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Run:
        known = {field.name for field in fields(cls)}
        return cls(
            **{k: v for k, v in data.items() if k in known} | {"words": tuple(data["words"])}
        )

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def script(self) -> Script:
        return parse(self.words)


@dataclass(frozen=True, slots=True)
class End:
    """When and how a started run ends, as far as is known from what was done to it so far."""

    at_ns: int
    exit_code: int
    oom: bool = False


def end_of(run: Run, script: Script) -> End | None:
    """The end of a started run, in the past or ahead; None when it never started."""
    if run.started_ns is None:
        return None
    code = SIGKILLED if script.oom else script.exit_code
    end = End(run.started_ns + script.duration_ns, code, script.oom)
    if run.term_ns is not None and script.term_after_ns is not None:
        asked = End(run.term_ns + script.term_after_ns, script.term_exit)
        end = min(end, asked, key=lambda one: one.at_ns)
    if run.killed_ns is not None and run.killed_ns < end.at_ns:
        end = End(run.killed_ns, SIGKILLED)
    return end


def observation_of(run: Run, now_ns: int) -> Observation:
    """What an engine would tell of this run at that time."""
    end = end_of(run, run.script)
    if end is None or run.started_ns is None:
        return Observation(RunState.CREATED, could_not_start=bool(run.error), error=run.error)
    if now_ns < end.at_ns:
        return Observation(RunState.RUNNING, started_at=moment(run.started_ns))
    return Observation(
        RunState.EXITED,
        exit_code=end.exit_code,
        oom_killed=end.oom,
        started_at=moment(run.started_ns),
        finished_at=moment(end.at_ns),
    )


def is_running(run: Run, now_ns: int) -> bool:
    end = end_of(run, run.script)
    return end is not None and now_ns < end.at_ns


def owned_of(run: Run, now_ns: int) -> Owned:
    return Owned(
        handle={"v": 1, "uid": run.uid},
        instance=run.instance,
        job=run.job,
        attempt=run.attempt,
        uid=run.uid,
        term=run.term,
        state=observation_of(run, now_ns).state,
        created_at=moment(run.created_ns),
    )


def moment(at_ns: int) -> datetime:
    """The aware datetime of a stamp, in whole microseconds (a float would round)."""
    seconds, rest = divmod(at_ns, 1_000_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // 1000)
