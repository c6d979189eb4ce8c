"""What speaks for an end's cause: facts of our own rows, each with its word.

Pure, but that times of day are told in the zone of the request.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from jobs.endings import STOP_GRACE_SECONDS
from jobs.models import Attempt, Job
from jobs.orders import SpecUnreadable, timeout_seconds
from jobs.presenters import run_seconds
from jobs.reasons import reason_text
from jobs.states import Outcome
from jobs.use import of
from projects.quantities import duration_text, memory_text
from projects.zones import clock_text

Fact = tuple[str, str]
_MIB = 2**20
_KILLED = 137
_CLOCKS = timedelta(seconds=1)
"""So far an engine's clock, which tells of ends, may be from ours, which tells of cancels."""
_OF_IMAGE = frozenset({"image_not_found", "image_denied", "registry_unreachable"})
_OF_MEMORY = frozenset({"oom_killed", "signalled"})


def evidence(job: Job, attempts: Sequence[Attempt]) -> list[Fact]:
    """The facts of how a job ended, the strongest first."""
    latest = attempts[-1] if attempts else None
    facts = [] if latest is None else [*_of_attempt(job, latest), *_before(latest, attempts)]
    if job.reason == "queue_timeout":
        facts.append(("Waited", _waited(job)))
    if job.reason == "cancelled" and job.cancel_requested_at is not None:
        by = job.cancel_requested_by or "somebody"
        facts.insert(0, ("Asked for", f"by {by} at {clock_text(job.cancel_requested_at)}"))
    return facts


def _of_attempt(job: Job, one: Attempt) -> Iterator[Fact]:
    if job.reason in _OF_IMAGE:
        yield "Image", job.image
        yield "Pulled by", one.provider.name
    ran = run_seconds(one.started_at, one.finished_at)  # what is lost ended nobody knows when
    if job.reason == "timeout" and ran is not None:
        limit = int(job.spec["resources"]["timeout_seconds"])
        yield "Ran", f"{duration_text(ran)}, with a limit of {duration_text(limit)}"
    elif ran is not None:
        code = f"exit code {one.exit_code} " if one.exit_code is not None else ""
        at = f"at {clock_text(one.finished_at)} " if one.finished_at else ""
        yield "Ended", f"{code}{at}on {one.provider.name}, after {duration_text(ran)}"
    if _outstayed(job, one):
        grace = duration_text(STOP_GRACE_SECONDS)
        yield "Stop", f"the program went on for {grace} after it was asked to end, and was killed"
    if job.reason == "oom_killed":
        yield "Engine", "it says that it killed the program for lack of memory"
    if job.reason == "signalled":
        yield "Gantry", "asked for no stop: no cancel, and its time was not over"
    if job.reason in _OF_MEMORY or "part_killed_mb" in one.reason_detail:
        yield "Memory", _memory(one)
    if job.reason in {"could_not_start", "exit_code"} and (command := _command(job, one)):
        yield "Command", command
    if one.not_seen_since is not None:
        yield "Last seen", f"running, at {clock_text(one.not_seen_since)}"


def _outstayed(job: Job, one: Attempt) -> bool:
    """Whether it took no heed of our stop: its grace is over, and the engine has killed it."""
    asked = _asked_to_end(job, one)
    if asked is None or one.finished_at is None or one.exit_code != _KILLED:
        return False
    return one.finished_at - asked > timedelta(seconds=STOP_GRACE_SECONDS) - _CLOCKS


def _asked_to_end(job: Job, one: Attempt) -> datetime | None:
    """When our stop was due; None where there was none."""
    if job.reason == "cancelled":
        return job.cancel_requested_at
    start = one.started_at or one.running_at
    if job.reason != "timeout" or start is None:
        return None
    try:
        return start + timedelta(seconds=timeout_seconds(job))
    except SpecUnreadable:
        return None


def _memory(one: Attempt) -> str:
    if one.memory_peak_bytes is None or one.memory_peak_at is None:
        return f"limit {memory_text(one.memory_mb)}; it ended before it could be measured"
    peak = of(memory_text(one.memory_peak_bytes / _MIB), memory_text(one.memory_mb))
    return f"highest reading {peak}, at {clock_text(one.memory_peak_at)}"


def _command(job: Job, one: Attempt) -> str:
    """What was run, where that is what went wrong."""
    if job.reason == "exit_code" and one.exit_code not in (126, 127):
        return ""
    spec = job.spec if isinstance(job.spec, dict) else {}
    if spec.get("script"):
        return "a shell script"
    words = " ".join([*(spec.get("command") or ()), *(spec.get("args") or ())])
    return words[:200] or "the image's own program"


def _before(latest: Attempt, attempts: Sequence[Attempt]) -> Iterator[Fact]:
    """How the tries before it ended: the same again is no chance."""
    earlier = [a for a in attempts[:-1] if a.outcome == Outcome.FAILED]
    if not earlier:
        return
    if all(a.reason == latest.reason and a.exit_code == latest.exit_code for a in earlier):
        numbers = _listed([a.number for a in earlier])
        yield "Before", f"{numbers} ended in the same way"
    else:
        last = earlier[-1]
        words = reason_text(last.reason, last.reason_detail)
        yield "Before", f"attempt {last.number}: {words}"


def _listed(numbers: Sequence[int]) -> str:
    if len(numbers) == 1:
        return f"attempt {numbers[0]}"
    return f"attempts {', '.join(map(str, numbers[:-1]))} and {numbers[-1]}"


def _waited(job: Job) -> str:
    ended = job.finished_at or job.queued_at
    seconds = max(0.0, (ended - job.queued_at).total_seconds())
    return f"{duration_text(seconds)}, from {clock_text(job.queued_at)} to {clock_text(ended)}"
