"""What the API shows of jobs; the values are made in jobs/presenters.py."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

State = Literal["pending", "scheduled", "running", "completed", "failed", "cancelled"]


class JobOut(BaseModel):
    """A job. `reason` is why it waits or how it ended, `reason_text` the same in words."""

    id: int
    name: str
    state: State
    reason: str
    reason_text: str
    exit_code: int | None
    project: str
    provider: str | None
    provider_id: int | None
    attempt: int = Field(description="Number of the latest try; 0 before the first.")
    image: str
    labels: dict[str, str]
    priority: int = Field(description="As it is now; the spec has that of its submission.")
    held: bool
    created_at: datetime
    queued_at: datetime
    not_before: datetime | None = Field(description="When a retry is due.")
    started_at: datetime | None = Field(
        description="When the program of its latest try that started did so, by its engine's clock."
    )
    finished_at: datetime | None = Field(description="When its end was stored, by Gantry's clock.")
    run_seconds: float | None = Field(
        description="How long the program of its latest try ran, by its engine's clock; null until "
        "the job has ended, and where that program never started or nobody knows when it ended. "
        "finished_at - started_at is longer: it holds what came after, as the rest of the log."
    )
    cancel_requested_at: datetime | None
    cancel_requested_by: str | None
    submitted_by: str | None
    rerun_of: int | None
    rev: int = Field(description="Grows with every change.")
    told_rev: str = Field(
        description="Changes with `rev`, and with why the job waits; also the ETag's end."
    )


class JobDetailOut(JobOut):
    """A job with its spec; of `secret_env` only the names."""

    pinned_to: str | None = Field(
        description="The one provider that it may go to, if any: the spec's, unless it was moved."
    )
    spec: dict[str, Any]


class JobNumbers(BaseModel):
    """The jobs of one call, in its order."""

    ids: list[int]


class JobList(BaseModel):
    """One page of jobs."""

    items: list[JobOut]
    next_cursor: str | None
    searched_to: datetime | None = Field(
        description="Set when the search was broken off, at jobs submitted then, before the page "
        "was full; next_cursor goes on from there."
    )


class PhaseTimes(BaseModel):
    """When each phase began."""

    placed: datetime | None
    pulling: datetime | None
    creating: datetime | None
    starting: datetime | None
    running: datetime | None
    finishing: datetime | None
    ended: datetime | None


class UseOut(BaseModel):
    """What an attempt used at most, by its readings; null where nothing was measured."""

    cpu_cores_peak: float | None
    memory_bytes_peak: int | None
    memory_peak_at: datetime | None


class LogOut(BaseModel):
    """How much output there is. `complete` is null while it may grow."""

    seq: int
    lines: int
    stdout_bytes: int
    stderr_bytes: int
    complete: bool | None
    note: str | None


class AttemptOut(BaseModel):
    """One try of a job on one provider."""

    number: int
    phase: str
    outcome: str | None
    reason: str | None
    reason_text: str | None
    exit_code: int | None
    provider: str
    provider_id: int
    progress: dict[str, Any]
    phases: PhaseTimes
    started_at: datetime | None = Field(
        description="When its program started, the first time, by its engine's clock."
    )
    finished_at: datetime | None = Field(
        description="When its program ended, by its engine's clock."
    )
    run_seconds: float | None = Field(
        description="From one to the other; null until both are known."
    )
    not_seen_since: datetime | None
    removed_at: datetime | None = Field(
        description="When its container was confirmed to be gone from the engine."
    )
    removal_error: str | None = Field(description="What came of the last try to remove it.")
    use: UseOut
    log: LogOut


class AttemptList(BaseModel):
    """All tries of a job, first to last."""

    items: list[AttemptOut]
    next_cursor: None


class StatOut(BaseModel):
    """What an attempt used since the reading before: the mean of its CPU, the most of its
    memory, by the engine's clock."""

    at: datetime
    cpu_cores: float
    memory_bytes: int


class LimitsOut(BaseModel):
    """What an attempt may use."""

    cpu_cores: float
    memory_bytes: int


class StatList(BaseModel):
    """The readings of one attempt, oldest first, with what they are to be held against."""

    attempt: int | None = Field(description="Null while there is no try yet.")
    limits: LimitsOut | None
    use: UseOut | None
    items: list[StatOut]
    next_cursor: None


class EventOut(BaseModel):
    """What changed, from, to, why, by whom, through what."""

    id: int
    at: datetime
    type: str
    source: str | None = Field(alias="from")
    to: str | None
    reason: str | None
    reason_text: str | None
    detail: dict[str, Any]
    actor_kind: str
    actor: str | None
    via: str | None
    request_id: str | None


class EventList(BaseModel):
    """One page of events, oldest first."""

    items: list[EventOut]
    next_cursor: str | None


class LogLineOut(BaseModel):
    """One line of `application/x-ndjson`, or a part of one: join `text` by `line`."""

    seq: int = Field(description="Reading goes on with after=seq.")
    line: int
    time: str
    stream: Literal["stdout", "stderr"]
    text: str
    starts: bool
    ends: bool


class FreeOut(BaseModel):
    """Amounts of a provider: thousandths of a core, MiB, GPUs."""

    cpu_millis: int
    memory_mb: int
    gpus: int


class ShortOut(FreeOut):
    """How much of each is missing; `slots`: so many jobs have to end, whatever they hold."""

    slots: int


class AnswerOut(BaseModel):
    """What one provider says to a job."""

    id: int
    name: str
    answer: Literal["fits", "full", "beside", "down", "small", "unsuited", "off"]
    text: str
    free: FreeOut
    short_of: ShortOut


class HoldUpOut(BaseModel):
    """What holds a job up besides room, and the jobs it speaks of that you may see."""

    text: str
    jobs: list[int]


class WaitOut(BaseModel):
    """A stretch of waiting for one reason; `until` is null while it lasts."""

    reason: str
    reason_text: str
    since: datetime
    until: datetime | None


class WhyOut(BaseModel):
    """Why a job waits. `place` is from 1 among the `waiting`; null where it is not in line."""

    job: int
    state: State
    reason: str
    reason_text: str
    held_up_by: HoldUpOut | None
    place: int | None
    waiting: int | None
    ways_out: list[str]
    providers: list[AnswerOut] = Field(description="The nearest to a yes first.")
    history: list[WaitOut] = Field(description="Oldest first, at most the last 50.")


class DryRunOut(BaseModel):
    """What would come of submitting a job now."""

    starts: bool
    provider: str | None = Field(description="Where it would start at once.")
    text: str
    forbidden: str | None = Field(description="What a limit, a key or a pause forbids.")
    held_up_by: HoldUpOut | None
    place: int | None = Field(
        description="The place in line that it would have, from 1; null where it would start, or "
        "not come into line."
    )
    ways_out: list[str]
    providers: list[AnswerOut]
