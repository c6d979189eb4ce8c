"""Finding the jobs of a list, a stretch of ids at a time (jobs/stretches.py decides which).

No search walks the table: it returns what it found within its time, and what it has not
looked through.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass

from django.db.models import Count, F, Max, Min, OrderBy, Q, QuerySet

from jobs.filters import JobFilter
from jobs.models import Job
from jobs.sorts import Sort
from jobs.stretches import FIRST_SIZE, NONE, Ids, next_size
from projects.errors import BadRequest

SECONDS = 0.025
"""What one search may take, half of what a whole answer should; the stretch that is begun is
finished."""
COUNTING_SECONDS = 0.025
"""What the counts beside a list may take."""
SHUFFLED = 1000
"""So many jobs at most have ids in another order than their times of submission."""

clock: Callable[[], float] = time.monotonic


@dataclass(frozen=True, slots=True)
class Found:
    """The ids of the first matching jobs, and the ids that were not looked at: none, unless
    the time was over."""

    ids: list[int]
    unseen: Ids


def ids_of(wanted: JobFilter) -> Ids:
    """The ids among which all jobs of a filter are: from the first to the last there is, of the
    numbers and between the times that it names."""
    ends = Job.objects.aggregate(low=Min("pk"), high=Max("pk"))
    if ends["low"] is None:
        return NONE
    found = Ids(ends["low"], ends["high"])
    if runs := wanted.numbers():
        found = found.within(min(low for low, _ in runs), max(high for _, high in runs))
    since, until = wanted.moment("since"), wanted.moment("until")
    if since is not None:
        after = Job.objects.filter(created_at__gte=since).order_by("created_at")[:SHUFFLED]
        low = after.aggregate(low=Min("pk"))["low"]
        found = found.within(low=found.high + 1 if low is None else low)
    if until is not None:
        before = Job.objects.filter(created_at__lt=until).order_by("-created_at")[:SHUFFLED]
        high = before.aggregate(high=Max("pk"))["high"]
        found = found.within(high=found.low - 1 if high is None else high)
    return found


def first_of(
    found: QuerySet[Job],
    number: int,
    among: Ids,
    *,
    upward: bool = False,
    seconds: float = SECONDS,
    size: int = FIRST_SIZE,
) -> Found:
    """The first so many jobs, newest first, or oldest first with `upward`; `size` is that of
    the first stretch."""
    ids: list[int] = []
    end = clock() + seconds
    while among and size and len(ids) < number:
        here, among = among.divided(size, upward=upward)
        rows = _between(found, here).order_by("pk" if upward else "-pk")
        begun = clock()
        ids += rows.values_list("pk", flat=True)[: number - len(ids)]
        now = clock()
        size = next_size(size, took=now - begun, left=end - now)
    return Found(ids, among if len(ids) < number else NONE)


def counts_of(
    found: QuerySet[Job], states: Collection[str], among: Ids, *, enough: int
) -> tuple[dict[str, int], bool]:
    """How many jobs are in each of these states, and whether all were counted: it stops when
    it has seen `enough` of each, or when its time is over."""
    counts: Counter[str] = Counter()
    counted = found.filter(state__in=sorted(states)).order_by()
    size, end = FIRST_SIZE, clock() + COUNTING_SECONDS
    while among and size and not all(counts[state] >= enough for state in states):
        here, among = among.divided(size, upward=False)
        begun = clock()
        for state, number in _between(counted, here).values_list("state").annotate(Count("pk")):
            counts[state] += number
        now = clock()
        size = next_size(size, took=now - begun, left=end - now)
    return {state: counts[state] for state in states}, not among


ORDERS: dict[Sort, tuple[OrderBy | str, ...]] = {
    Sort.LONGEST_RUNNING: (F("started_at").asc(nulls_last=True), "pk"),
}
"""The orders that are neither the ids' nor the queue's. Each is of one live state, of which
there are so few jobs that its index may be walked."""


def after_in_order(last: int | None) -> Q:
    """The jobs that come after that one in such an order. Raises BadRequest when it is gone."""
    if last is None:
        return Q()
    row = Job.objects.filter(pk=last).values_list("started_at").first()
    if row is None:
        raise BadRequest("The job that this page begins after is gone; begin again without it.")
    (started_at,) = row
    if started_at is None:
        return Q(started_at__isnull=True, pk__gt=last)
    same = Q(started_at=started_at, pk__gt=last)
    return Q(started_at__gt=started_at) | same | Q(started_at__isnull=True)


def _between(found: QuerySet[Job], ids: Ids) -> QuerySet[Job]:
    return found.filter(pk__gte=ids.low, pk__lte=ids.high)
