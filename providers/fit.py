"""Whether a provider suits a job, takes jobs now, and has room. Pure: the planner decides by it
and pages tell by it, so that the two cannot differ."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from math import ceil
from typing import Any, Protocol

from providers.driver import Health

LOW_DISK_BYTES = 2 * 2**30
LOW_DISK_SHARE = 0.05
STEPS = 20
"""Loads within one twentieth are equal."""
AWAY = 5
"""So many of these steps is having a job's image worth."""
KEPT_FOR_GPUS = 100
"""What a provider with GPUs is put behind by, for a job that wants none."""
KEPT_FREE = 10
"""Of so many providers one at most is kept free for an overdue job, but one always: what is kept
stands idle until it is wide enough, and the jobs that it turns away are overdue next."""
UNWATCHED = timedelta(seconds=90)
"""A provider that nobody has probed for so long may be anything: it gets no new jobs."""


class Condition(Protocol):
    """One condition on labels: `op` is eq, neq, in, not_in, exists, not_exists, gt or lt."""

    @property
    def key(self) -> str: ...
    @property
    def op(self) -> str: ...
    @property
    def values(self) -> Sequence[str]: ...


class Place(Protocol):
    """A provider's row, as far as its room goes; amounts in thousandths of a core and MiB."""

    @property
    def pk(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def labels(self) -> Mapping[str, Any]: ...
    @property
    def mode(self) -> str: ...
    @property
    def health(self) -> str: ...
    @property
    def probed_at(self) -> datetime | None: ...
    @property
    def total_cpu_millis(self) -> int: ...
    @property
    def total_memory_mb(self) -> int: ...
    @property
    def total_gpus(self) -> int: ...
    @property
    def slots(self) -> int | None: ...
    @property
    def disk_free_bytes(self) -> int | None: ...
    @property
    def disk_total_bytes(self) -> int | None: ...


def matches(condition: Condition, labels: Mapping[str, str]) -> bool:
    """True when a provider's labels meet one condition."""
    value = labels.get(condition.key)
    match condition.op:
        case "eq":
            return value is not None and value == condition.values[0]
        case "neq":
            return value != condition.values[0]
        case "in":
            return value in condition.values
        case "not_in":
            return value not in condition.values
        case "exists":
            return value is not None
        case "not_exists":
            return value is None
        case "gt":
            return _number(value) > _number(condition.values[0])
        case "lt":
            return _number(value) < _number(condition.values[0])
    return False


def _number(text: str | None) -> float:
    """What a label says as a number; what says none is neither more nor less than anything."""
    try:
        return float(text or "nan")
    except ValueError:
        return float("nan")


def why_down(place: Place, now: datetime) -> tuple[str, str]:
    """Why an active provider cannot take jobs now: a wait's code and words, or two blanks."""
    if place.mode == "draining":
        return "provider_down", "it is draining"
    if place.health not in (Health.HEALTHY, Health.DEGRADED):
        if place.health == "unknown":
            return "provider_down", "it has not been looked at yet"
        return "provider_down", "it is unreachable"  # its page says why
    if place.probed_at is None or now - place.probed_at > UNWATCHED:
        return "provider_down", "no engine process looks at it"
    free, total = place.disk_free_bytes, place.disk_total_bytes
    if free is not None and free < max(LOW_DISK_BYTES, LOW_DISK_SHARE * (total or 0)):
        return "disk_low", f"only {free / 2**30:.1f} GiB of its disk is free"
    return "", ""


def takes_jobs(place: Place, now: datetime) -> bool:
    """Whether the planner may give it new jobs now."""
    return place.mode == "active" and why_down(place, now) == ("", "")


@dataclass(frozen=True, slots=True)
class Need:
    """What a job asks of a provider; `provider` pins it by name. `apart` are labels, with
    their values, that no job of its project may have there."""

    cpu_millis: int
    memory_mb: int
    gpus: int = 0
    provider: str = ""
    requires: Sequence[Condition] = ()
    apart: Sequence[tuple[str, str]] = ()


class Answer(StrEnum):
    """What a provider says to a job, the best first."""

    FITS = "fits"
    FULL = "full"
    BESIDE = "beside"
    DOWN = "down"
    SMALL = "small"
    UNSUITED = "unsuited"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Fit:
    """An answer with its numbers: what is free, and how much more would be needed; of slots,
    how many attempts have to end. `jobs`, where they are known, are those that it runs and from
    which the job keeps apart."""

    answer: Answer
    why: str = ""
    free_cpu_millis: int = 0
    free_memory_mb: int = 0
    free_gpus: int = 0
    lacks_cpu_millis: int = 0
    lacks_memory_mb: int = 0
    lacks_gpus: int = 0
    lacks_slots: int = 0
    jobs: tuple[int, ...] = ()


class Given(Protocol):
    """What the live attempts of a provider hold of it."""

    @property
    def running(self) -> int: ...
    @property
    def cpu_millis(self) -> int: ...
    @property
    def memory_mb(self) -> int: ...
    @property
    def gpus(self) -> int: ...


def fit(
    need: Need,
    place: Place,
    given: Given,
    now: datetime,
    beside: Collection[tuple[str, str]] = (),
) -> Fit:
    """What this provider says to that need, in the order in which the planner asks. `beside`:
    which of these labels jobs of the same project that it runs have."""
    free = (
        place.total_cpu_millis - given.cpu_millis,
        place.total_memory_mb - given.memory_mb,
        place.total_gpus - given.gpus,
    )
    wanted = (need.cpu_millis, need.memory_mb, need.gpus)
    whole = (place.total_cpu_millis, place.total_memory_mb, place.total_gpus)
    lacks = tuple(max(0, n - f) for n, f in zip(wanted, free, strict=True))
    no_slots = 0 if place.slots is None else max(0, given.running + 1 - place.slots)
    known = bool(place.total_memory_mb)
    answer, why = Answer.FITS, ""
    if place.mode == "inactive":
        answer = Answer.OFF
    elif unmet := _unmet(need, place):
        answer, why = Answer.UNSUITED, unmet
    elif known and any(n > w for n, w in zip(wanted, whole, strict=True)):
        answer = Answer.SMALL
    elif down := why_down(place, now)[1]:
        answer, why = Answer.DOWN, down
    elif both := [pair for pair in need.apart if pair in beside]:
        answer, why = Answer.BESIDE, f"it runs another job with {both[0][0]} = {both[0][1]}"
    elif any(lacks) or no_slots:
        answer = Answer.FULL
    return Fit(
        answer=answer,
        why=why,
        free_cpu_millis=max(0, free[0]),
        free_memory_mb=max(0, free[1]),
        free_gpus=max(0, free[2]),
        lacks_cpu_millis=lacks[0],
        lacks_memory_mb=lacks[1],
        lacks_gpus=lacks[2],
        lacks_slots=no_slots,
    )


class Choice(Place, Protocol):
    """A provider's row, as far as one is preferred to another."""

    @property
    def packs(self) -> bool: ...
    @property
    def cost_per_hour(self) -> object: ...


def rank(need: Need, place: Choice, given: Given, *, has_image: bool) -> tuple[float, float, int]:
    """Of the providers with room a job gets the one with the lowest rank: how full it would be
    with the job, its cost per hour, its id. The planner's own rule for one provider
    (orchestrator/scheduling/rooms.py has it for all at once, and says why)."""
    measures = [
        (given.cpu_millis + need.cpu_millis, place.total_cpu_millis),
        (given.memory_mb + need.memory_mb, place.total_memory_mb),
    ]
    if need.gpus:
        measures.append((given.gpus + need.gpus, place.total_gpus))
    load = max(1 - (whole - taken) / max(1, whole) for taken, whole in measures)
    steps = ceil(load * STEPS - 1e-9)
    score = STEPS - steps if place.packs else steps
    score += 0 if has_image else AWAY
    score += KEPT_FOR_GPUS if place.total_gpus and not need.gpus else 0
    return score, float(str(place.cost_per_hour or 0)), place.pk


def _unmet(need: Need, place: Place) -> str:
    """The first condition that this provider does not meet, in words."""
    if need.provider and need.provider != place.name:
        return f"the job asks for {need.provider}"
    labels = {str(k): str(v) for k, v in place.labels.items()}
    for one in need.requires:
        if not matches(one, labels):
            here = f"it is {labels[one.key]}" if one.key in labels else "it is not set"
            return f"the job asks for {_asked(one)}; here {here}"
    return ""


def _asked(one: Condition) -> str:
    values = " or ".join(one.values)
    match one.op:
        case "eq" | "in":
            return f"{one.key} = {values}"
        case "neq" | "not_in":
            return f"{one.key} other than {values}"
        case "exists":
            return f"a label {one.key}"
        case "gt" | "lt":
            return f"{one.key} {'>' if one.op == 'gt' else '<'} {values}"
    return f"no label {one.key}"
