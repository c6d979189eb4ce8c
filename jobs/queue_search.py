"""The jobs of a filter in the queue's true order: a list that has that order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from django.db.models import Q, QuerySet

from jobs.models import Job
from jobs.queue_walk import BACKING_OFF, HELD, IN_LINE, Spot
from jobs.true_order import TrueOrder
from jobs.whole_line import whole_line

FIRST_LOOK, GROWTH = 256, 4
"""So many jobs of the line are held against the filter first, and then so many times more:
mostly the first look fills a page."""


def in_turn(
    found: QuerySet[Job], limit: int, filters: Mapping[str, Sequence[str]], cursor: str | None
) -> tuple[list[int], str | None]:
    """A page of these waiting jobs: first the line, then what backs off, then what is held; and
    where the next one begins. Raises BadRequest for a cursor of another list."""
    after = Spot.read(cursor, filters) if cursor else None
    order = whole_line(after.moment if after else None).order
    spots = list(islice(_spots(order, found, after), limit + 1))
    more = spots[limit - 1].cursor(filters) if len(spots) > limit else None
    return [spot.key[3] for spot in spots[:limit]], more


def _spots(order: TrueOrder, found: QuerySet[Job], after: Spot | None) -> Iterator[Spot]:
    if after is None or after.part == IN_LINE:
        begin, size = order.behind(after.key) if after is not None else 0, FIRST_LOOK
        while begin < len(order):
            some = order.jobs[begin : begin + size].tolist()
            listed = set(found.filter(pk__in=some).values_list("pk", flat=True))
            for index, job in enumerate(some, begin):
                if job in listed:
                    yield Spot(order.moment, IN_LINE, order.key(index))
            begin, size = begin + size, size * GROWTH
    aside = found.filter(_behind(after), Q(held=True) | Q(not_before__isnull=False))
    rows = aside.order_by("held", "-priority", "pk").values_list("held", "priority", "pk")
    for held, priority, job in rows:
        yield Spot(order.moment, HELD if held else BACKING_OFF, (-priority, 0.0, 0.0, job))


def _behind(after: Spot | None) -> Q:
    if after is None or after.part == IN_LINE:
        return Q()
    minus, job, held = after.key[0], after.key[3], after.part == HELD
    same = Q(held=held) & (Q(priority__lt=-minus) | Q(priority=-minus, pk__gt=job))
    return same if held else same | Q(held=True)
