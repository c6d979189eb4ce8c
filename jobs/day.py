"""The last 24 hours: how many jobs were submitted in each, and what became of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from statistics import median

from django.db.models import Count, DurationField, ExpressionWrapper, F
from django.db.models.functions import TruncHour

from jobs.filters import JobFilter
from jobs.models import Job
from jobs.query import Term
from jobs.search import SHUFFLED, clock
from jobs.states import JobState
from jobs.stretches import FIRST_SIZE, next_size
from jobs.whose import JobsQuery, Whose
from projects.actor import Actor
from projects.prepared import CompiledQuery

SECONDS = 0.01
"""What the counting may take; the stretch that is begun is finished."""
MOST_WAITS = 1_000
"""So many waits, the newest, make the median."""
HOURS = 25
"""The hours of a clock that 24 hours touch; the first and the last are cut."""
HEIGHT = 64.0
_STEP = 40
_WIDTH = 34
_LEAST_HEIGHT = 2.0
_HOUR = timedelta(hours=1)

# From the bottom to the top, as it is drawn: what failed stands out on what went well.
_KINDS: Mapping[str, tuple[JobState, ...]] = {
    "completed": (JobState.COMPLETED,),
    "cancelled": (JobState.CANCELLED,),
    "failed": (JobState.FAILED,),
    "under way": (JobState.PENDING, JobState.SCHEDULED, JobState.RUNNING),
}
_CLASSES = {"completed": "ok", "cancelled": "can", "failed": "bad", "under way": "run"}
_SHAPES = {"under way": "running"}


@dataclass(frozen=True, slots=True)
class Number:
    """One number of the day: its word and shape, and the list that has as many rows."""

    word: str
    shape: str
    count: int
    query: JobFilter

    @property
    def text(self) -> str:
        """As people read it: "4,312"."""
        return f"{self.count:,}"


@dataclass(frozen=True, slots=True)
class Block:
    """A part of an hour's bar."""

    kind: str
    y: str
    height: str


@dataclass(frozen=True, slots=True)
class Hour:
    """One hour with its bar, its words and its list."""

    start: datetime
    x: int
    blocks: tuple[Block, ...]
    words: str
    failed: bool
    query: JobFilter

    @property
    def clock(self) -> str:
        """When it began: "14:00"."""
        return f"{self.start:%H:%M}"


@dataclass(frozen=True, slots=True)
class Day:
    """All of it. `since`: it was looked back to then only, because there were too many."""

    numbers: tuple[Number, ...]
    hours: tuple[Hour, ...]
    total: int
    median_wait: float | None
    since: datetime | None = None

    @property
    def ticks(self) -> tuple[str, ...]:
        """The times under the bars, evenly spaced."""
        return (*(hour.clock for hour in self.hours[:-1:6]), "now")

    @property
    def words(self) -> str:
        """The drawing in words, for who does not see it."""
        told = ", ".join(f"{n.count:,} {n.word}" for n in self.numbers if n.count)
        return f"Jobs submitted in each hour of the last 24: {told or 'none'}"


Counts = Mapping[tuple[datetime, JobState], int]
_ALWAYS = datetime.max.replace(tzinfo=UTC)
_COUNTS = JobsQuery[tuple[datetime, str, int]](
    lambda jobs, since, until: (
        jobs.filter(created_at__gte=since, created_at__lt=until)
        .order_by()
        .annotate(hour=TruncHour("created_at", tzinfo=UTC))
        .values_list("hour", "state")
        .annotate(number=Count("*"))
    )
)


@cache
def _nth_newest(n: int) -> CompiledQuery[tuple[datetime]]:
    """When the n-th of the jobs of a time was submitted, counted from the newest. A query for each
    size that a stretch may have: no limit is a place."""
    return CompiledQuery(
        lambda since, until: (
            Job.objects.filter(created_at__gte=since, created_at__lt=until)
            .order_by("-created_at")
            .values_list("created_at")[n - 1 : n]
        )
    )


_OLDEST = CompiledQuery[tuple[int]](
    lambda since: (
        Job.objects.filter(created_at__gte=since)
        .order_by("created_at")
        .values_list("pk")[:SHUFFLED]
    )
)
_WAITS = JobsQuery[tuple[timedelta]](
    lambda jobs, lowest: (
        # By ids, of which every index of what somebody may see has the order.
        jobs.filter(pk__gte=lowest, attempt=1, started_at__isnull=False)
        .order_by("-pk")
        .values_list(ExpressionWrapper(F("started_at") - F("created_at"), DurationField()))[
            :MOST_WAITS
        ]
    )
)


def day_of(actor: Actor, whose: Whose, now: datetime) -> Day:
    """The day of the jobs that the actor may see. However many there are it takes a bounded
    time, and counts the newest if that does not suffice."""
    begin = now - 24 * _HOUR
    counts, since = _counted(actor, whose, begin)
    return drawn(
        counts,
        whose.terms(actor),
        now,
        median_wait=_median_wait(actor, whose, since),
        since=since if since > begin else None,
    )


def _counted(actor: Actor, whose: Whose, begin: datetime) -> tuple[Counts, datetime]:
    """The jobs submitted since then by hour and state, the newest first, and back to when there
    was time for it. All that it reads is in one index, `job_by_time`; a stretch is bounded by
    how many jobs there are in it, whoever may see them."""
    counts: Counter[tuple[datetime, JobState]] = Counter()
    until, size, end = _ALWAYS, FIRST_SIZE, clock() + SECONDS
    while True:
        begun = clock()
        edge = _nth_newest(size).fetch(begin, until)
        since = edge[0][0] if edge else begin
        for hour, state, number in _COUNTS.fetch(actor, whose, since, until):
            counts[hour, JobState(state)] += number
        now = clock()
        size = next_size(size, took=now - begun, left=end - now)
        if not edge or not size:
            return counts, since
        until = since


def _median_wait(actor: Actor, whose: Whose, since: datetime) -> float | None:
    """How long the newest of the jobs since then whose program began at the first try had waited,
    in seconds."""
    oldest = [pk for (pk,) in _OLDEST.fetch(since)]
    waits = _WAITS.fetch(actor, whose, min(oldest)) if oldest else []
    return max(0.0, median(waited.total_seconds() for (waited,) in waits)) if waits else None


def drawn(
    counts: Counts,
    also: Iterable[Term],
    now: datetime,
    *,
    median_wait: float | None = None,
    since: datetime | None = None,
) -> Day:
    """The day from its counts by hour and state. `also`: what else its lists are narrowed to."""
    terms = tuple(also)
    begin = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0) - (HOURS - 1) * _HOUR
    starts = [begin + n * _HOUR for n in range(HOURS)]
    by_kind = {start: _by_kind(counts, start) for start in starts}
    highest = max((sum(kinds.values()) for kinds in by_kind.values()), default=0)
    return Day(
        numbers=tuple(_numbers(by_kind.values(), terms)),
        hours=tuple(
            _hour(max(start, now - 24 * _HOUR), start + _HOUR, n, by_kind[start], highest, terms)
            for n, start in enumerate(starts)
        ),
        total=sum(counts.values()),
        median_wait=median_wait,
        since=since,
    )


def _by_kind(counts: Counts, hour: datetime) -> dict[str, int]:
    return {
        kind: sum(counts.get((hour, state), 0) for state in states)
        for kind, states in _KINDS.items()
    }


def _numbers(hours: Iterable[Mapping[str, int]], also: tuple[Term, ...]) -> Iterator[Number]:
    found = list(hours)
    for kind in ("completed", "failed", "cancelled", "under way"):
        states = tuple(Term("state", state) for state in _KINDS[kind])
        query = JobFilter((*states, *also, Term("since", "24h")))
        yield Number(kind, _SHAPES.get(kind, kind), sum(one[kind] for one in found), query)


def _hour(
    start: datetime,
    until: datetime,
    place: int,
    kinds: Mapping[str, int],
    highest: int,
    also: tuple[Term, ...],
) -> Hour:
    times = (Term("since", _stamp(start)), Term("until", _stamp(until)))
    told = ", ".join(f"{count:,} {kind}" for kind, count in kinds.items() if count)
    return Hour(
        start=start,
        x=place * _STEP,
        blocks=tuple(_blocks(kinds, highest)),
        words=f"{start:%H:%M} to {until:%H:%M}: {told}" if told else "",
        failed=kinds["failed"] > 0,
        query=JobFilter((*also, *times)),
    )


def _blocks(kinds: Mapping[str, int], highest: int) -> Iterator[Block]:
    """The bar from its bottom; each part is high enough to be seen, the whole never too high."""
    top = HEIGHT
    heights = {k: max(_LEAST_HEIGHT, HEIGHT * n / highest) for k, n in kinds.items() if n}
    scale = min(1.0, HEIGHT / sum(heights.values())) if heights else 1.0
    for kind, height in heights.items():
        top -= height * scale
        yield Block(_CLASSES[kind], f"{max(0.0, top):.1f}", f"{max(1.0, height * scale - 1):.1f}")


def _stamp(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
