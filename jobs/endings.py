"""What an exit means, and what becomes of the job after it. Pure decisions.

`classify` turns an engine's word and what we ourselves did (cancel, timeout) into an
ending: the cause we recorded decides, never the bare number. `next_step` applies the job's
retry policy to it.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from jobs.reasons import Blame, blame
from jobs.states import JobState, Outcome, Phase
from providers.driver import Observation, RunState

STOP_GRACE_SECONDS = 10.0
"""How long a program that was asked to end may go on; then the engine kills it."""
FREE_TRIES = {"registry_unreachable": 4, "engine_failed": 5}
"""Infrastructure ends that stop being tried again after so many attempts of the job."""
FREE_MOST = 20
"""Free attempts in all: an engine that takes back every start must not keep a job for ever."""
FREE_DELAY_MAX = 60.0
RETRY_DELAY_MAX = 3600.0


@dataclass(frozen=True, slots=True)
class StopCause:
    """Why we told an attempt to stop: `cancelled` or `timeout`, and its words' numbers.

    `at` is when, on the engine's clock as far as its offset is known.
    """

    reason: str
    detail: Mapping[str, Any]
    at: datetime


@dataclass(frozen=True, slots=True)
class Ending:
    """How an attempt ended."""

    outcome: Outcome
    reason: str
    detail: Mapping[str, Any] = field(default_factory=dict)
    exit_code: int | None = None


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """The job's own retries: tries in all, base of the backoff, and what is retried.

    An empty `on` means every end that is the program's doing (`exit_code`, `oom_killed`,
    `signalled`, `timeout`).
    """

    max_attempts: int = 1
    backoff_seconds: float = 10.0
    on: frozenset[str | int] = frozenset()

    def names(self, ending: Ending) -> bool:
        """True when this policy asks for another try after such an end."""
        if not self.on:
            return ending.reason in {"exit_code", "oom_killed", "signalled", "timeout"}
        return ending.reason in self.on or (
            ending.reason in {"exit_code", "signalled"} and ending.exit_code in self.on
        )


@dataclass(frozen=True, slots=True)
class Step:
    """What becomes of the job: its state, and when a retry is due (seconds from now)."""

    state: JobState
    charged: bool = False
    delay_seconds: float = 0.0


def classify(
    seen: Observation,
    stop: StopCause | None,
    *,
    memory_mb: int,
    lost_at: datetime | None = None,
) -> Ending:
    """The ending of an attempt whose program had started, from the engine's last word.

    A stop of ours counts only when the program had not ended before it: a job that
    finishes while its cancel is on the way has finished. `lost_at`: when the engine, seen
    until then, went out of reach (on its own clock).
    """
    if seen.state is RunState.GONE:
        if stop is not None:
            return _stopped(stop, None)
        return Ending(Outcome.FAILED, "removed_outside")
    if stop is not None and not (seen.finished_at and seen.finished_at < stop.at):
        return _stopped(stop, seen.exit_code)
    code = seen.exit_code
    if seen.could_not_start:
        return Ending(Outcome.FAILED, "could_not_start", {"message": seen.error}, code)
    # The engine's flag sticks when only a child was killed. Then the program's own word
    # decides, as it would have known, and the words tell of both.
    if seen.oom_killed and code in (137, None):
        return Ending(Outcome.FAILED, "oom_killed", {"memory_mb": memory_mb}, code)
    also = {"part_killed_mb": memory_mb} if seen.oom_killed else {}
    if code == 0:
        return Ending(Outcome.COMPLETED, "succeeded", also, 0)
    if code is None or _ended_with_its_engine(seen, lost_at):
        return Ending(Outcome.FAILED, "engine_stopped", {"message": seen.error}, code)
    if code in _DEADLY:
        detail = {"exit_code": code, "signal": _DEADLY[code]} | also
        return Ending(Outcome.FAILED, "signalled", detail, code)
    return Ending(Outcome.FAILED, "exit_code", {"exit_code": code} | also, code)


# The signals of crashes and kills. The number alone cannot tell them from a program that
# chose to exit with it, and the words say so.
_DEADLY = {
    128 + number: f"{number:d} ({number.name})"
    for number in (
        signal.SIGILL,
        signal.SIGTRAP,
        signal.SIGABRT,
        signal.SIGBUS,
        signal.SIGFPE,
        signal.SIGKILL,
        signal.SIGSEGV,
        signal.SIGTERM,
        signal.SIGXCPU,
        signal.SIGXFSZ,
        signal.SIGSYS,
    )
}


_ENGINES = frozenset({137, 143, 255})
"""What programs leave behind that an engine ended: by SIGKILL, by SIGTERM, with the machine."""
_MOMENT = timedelta(seconds=2)
_CLOCKS = timedelta(seconds=0.1)
"""So far the engine's clock may be from where we believe it to be."""


def _ended_with_its_engine(seen: Observation, lost_at: datetime | None) -> bool:
    """Whether the engine, on its way down or up, ended the program. One that was asked to end
    (SIGTERM) may leave with a code of its own; an engine on its way down goes right after it."""
    if not seen.engine_restarted:
        return False
    if seen.ended_by_engine or seen.exit_code in _ENGINES:
        return True
    ended = seen.finished_at
    return lost_at is not None and ended is not None and -_CLOCKS < lost_at - ended < _MOMENT


def _stopped(stop: StopCause, exit_code: int | None) -> Ending:
    outcome = Outcome.CANCELLED if stop.reason == "cancelled" else Outcome.FAILED
    return Ending(outcome, stop.reason, stop.detail, exit_code)


def next_step(
    ending: Ending, policy: RetryPolicy, *, attempt: int, charged: int, cancel_wanted: bool
) -> Step:
    """What becomes of the job after this end.

    `attempt` counts all tries so far, `charged` those that used up the job's own retries
    before this one. A cancel wins over every retry; a program that had failed by itself
    before its cancel could reach it, and is not to be tried again, has failed.
    """
    if ending.outcome is Outcome.COMPLETED:
        return Step(JobState.COMPLETED)
    if ending.outcome is Outcome.CANCELLED:
        return Step(JobState.CANCELLED)
    step = _after_failure(ending, policy, attempt=attempt, charged=charged)
    never_begun = ending.outcome is Outcome.FENCED
    if cancel_wanted and (never_begun or step.state is JobState.PENDING):
        return Step(JobState.CANCELLED, step.charged)
    return step


def _after_failure(ending: Ending, policy: RetryPolicy, *, attempt: int, charged: int) -> Step:
    # What is the infrastructure's doing never costs a try, also not the last one.
    costs = ending.outcome is not Outcome.FENCED and blame(ending.reason) is Blame.USER
    free = max(0, attempt - charged - 1)
    if _is_free(ending, policy):
        if attempt >= FREE_TRIES.get(ending.reason, attempt + 1) or free >= FREE_MOST:
            return Step(JobState.FAILED)
        return Step(JobState.PENDING, delay_seconds=min(FREE_DELAY_MAX, 2.0**free - 1))
    used = charged + 1
    if used < policy.max_attempts and free < FREE_MOST and policy.names(ending):
        delay = min(RETRY_DELAY_MAX, policy.backoff_seconds * 2 ** (used - 1))
        return Step(JobState.PENDING, costs, delay)
    return Step(JobState.FAILED, costs)


def _is_free(ending: Ending, policy: RetryPolicy) -> bool:
    """Whether it is tried again without being asked for. A program that its engine ended is
    over for sure; only a list of retries that leaves `engine_stopped` out keeps it so."""
    if ending.reason == "engine_stopped":
        return not policy.on or ending.reason in policy.on
    return ending.outcome is Outcome.FENCED or ending.reason in FREE_TRIES


def lost_with(provider: str, why: str, *, may_run: bool) -> Ending:
    """The end of an attempt whose provider was given up for lost. One that was never started
    cannot run any more, and is had again free of charge."""
    if may_run:
        return Ending(Outcome.FAILED, "provider_lost", {"provider": provider, "message": why})
    return Ending(Outcome.FENCED, "fenced", {"message": f"{provider} was given up for lost: {why}"})


_TAKEN_AWAY = {
    (Phase.CREATING, "image_not_found"): "its image was removed from the engine after the pull, "
    "before its container was made",
    (Phase.STARTING, "removed_outside"): "its container was removed by someone else before it was "
    "started",
}
"""What was there, or could be had, a moment before: by where the attempt was, and the reason."""


def refused(reason: str, message: str, image: str, *, at: Phase) -> Ending:
    """The end of an attempt that its engine refused in that phase, before its program ran. One
    of which something was taken away on the way is had again free of charge."""
    if words := _TAKEN_AWAY.get((at, reason)):
        return Ending(Outcome.FENCED, "fenced", {"message": words})
    return Ending(Outcome.FAILED, reason, {"message": message, "image": image})


def overdue_stop(seen: Observation, limit_seconds: float) -> StopCause | None:
    """The stop at its time limit that a former driver of this attempt must have delivered."""
    if seen.started_at is None or seen.finished_at is None:
        return None
    if not overdue(seen.started_at, limit_seconds, seen.finished_at):
        return None
    due = seen.started_at + timedelta(seconds=limit_seconds)
    return StopCause("timeout", {"limit": f"{limit_seconds:g} s"}, due)


def restarted_outside(seen: Observation, started_at: datetime | None) -> StopCause | None:
    """Why it is to be stopped when its program began, by a hand that is not ours, once more
    after `started_at`: two runs of it are no one attempt."""
    if started_at is None or seen.started_at is None or seen.started_at <= started_at:
        return None
    return StopCause("restarted_outside", {}, seen.started_at)


def overdue(started_at: datetime, limit_seconds: float, now: datetime) -> bool:
    """True when a run that began then has used up its time (all on one clock)."""
    return now >= started_at + timedelta(seconds=limit_seconds)
