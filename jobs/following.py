"""How a job follows its attempt's end: its next state, with the words for it. Pure.

The two writers of state (jobs/transitions and the simulation's twin) both ask here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from jobs.endings import Ending, RetryPolicy, Step, next_step
from jobs.reasons import reason_text
from jobs.states import Edge, JobState, Who, job_edge
from projects.storable import storable_values


class Followed(Protocol):
    """A job's row, as far as its next state depends on it."""

    @property
    def state(self) -> str: ...
    @property
    def spec(self) -> Mapping[str, Any]: ...
    @property
    def attempt(self) -> int: ...
    @property
    def charged(self) -> int: ...
    @property
    def cancel_requested_at(self) -> object | None: ...
    @property
    def cancel_requested_by(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Sequel:
    """What becomes of the job: by which edge, for which reason, and when it is due again
    (seconds from now; 0 unless it goes back to the queue)."""

    edge: Edge
    state: JobState
    reason: str
    detail: Mapping[str, Any]
    charged: bool
    delay_seconds: float


def sequel(ending: Ending, job: Followed, who: Who = Who.HOST) -> Sequel:
    """What becomes of a job whose live attempt ended so.

    Raises AssertionError where the table has no such edge for `who`.
    """
    step = next_step(
        ending,
        retry_policy(job.spec),
        attempt=job.attempt,
        charged=job.charged,
        cancel_wanted=job.cancel_requested_at is not None,
    )
    edge = job_edge(JobState(job.state), step.state)
    if edge is None or who not in edge.who:
        raise AssertionError(f"no edge {job.state} → {step.state} for a {who}")
    reason, detail = _reason(ending, step, job)
    return Sequel(edge, step.state, reason, detail, step.charged, step.delay_seconds)


def _reason(ending: Ending, step: Step, job: Followed) -> tuple[str, Mapping[str, Any]]:
    if step.state is JobState.PENDING:
        last = reason_text(ending.reason, storable_values(ending.detail))
        most = retry_policy(job.spec).max_attempts - 1
        cost = f"as retry {job.charged + 1} of {most}" if step.charged else "free of charge"
        if step.delay_seconds:
            delay = f"{step.delay_seconds:g} s"
            next_ = job.attempt + 1
            return "backoff", {"last": last, "next": next_, "delay": delay, "cost": cost}
        return "requeued", {"why": last, "cost": cost}
    if step.state is JobState.CANCELLED and ending.reason != "cancelled":
        return "cancelled", {"by": job.cancel_requested_by or "someone"}
    return ending.reason, storable_values(ending.detail)


def retry_policy(spec: Mapping[str, Any]) -> RetryPolicy:
    """The retry policy of a stored spec; of one that cannot be read, the default: it must
    not keep an attempt from ending."""
    try:
        retry = spec.get("retry") or {}
        return RetryPolicy(
            max_attempts=int(retry.get("max_attempts", 1)),
            backoff_seconds=float(retry.get("backoff_seconds", 10)),
            on=frozenset(retry.get("on") or ()),
        )
    except (AttributeError, TypeError, ValueError):
        return RetryPolicy()
