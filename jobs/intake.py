"""What a project may submit now: how many of its jobs may wait, and how many it may submit in a
minute. Both are counted from its rows while its own row is locked, and only where such a limit
is set: other projects lock and count nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping

from django.db.models import Q

from jobs.sql import fetch
from projects.errors import LimitReached
from projects.models import Project
from projects.prepared import PreparedQuery

MINUTE = 60.0
_LIMITED = PreparedQuery(
    lambda ids: (
        Project.objects.filter(
            Q(max_queued__isnull=False) | Q(submits_per_minute__isnull=False), pk__any=ids
        )
        .order_by("pk")
        .select_for_update(no_key=True)
    )
)


def admit(new: Mapping[int, int]) -> None:
    """Let so many jobs be submitted to these projects, inside the caller's transaction, until
    whose end no one else submits to those of them that have such a limit.

    Raises LimitReached.
    """
    # A statement of its own: what another has submitted meanwhile is seen by the next one.
    for project in _LIMITED.fetch(new.keys()):
        if refusal := not_admitted(project, new[project.pk]):
            raise refusal


def not_admitted(project: Project, number: int) -> LimitReached | None:
    """What forbids to submit so many jobs to the project now. Without its row locked it is an
    outlook, and no promise."""
    queued, rate = project.max_queued, project.submits_per_minute
    if queued is None and rate is None:
        return None
    in_the_way = None if rate is None else rate - number
    values = {
        "project": project.pk,
        "most": None if queued is None else queued + 1,
        "nth": in_the_way if in_the_way is not None and in_the_way >= 0 else None,
    }
    ((waiting, seconds),) = fetch("intake", values)
    if queued is not None and waiting + number > queued:
        return LimitReached(_full(project.slug, queued, waiting))
    if rate is not None and number > rate:
        return LimitReached(
            f"{project.slug} may submit no more than {_jobs(rate)} in a minute. "
            "An operator can raise that."
        )
    if rate is not None and seconds is not None and seconds < MINUTE:
        return _too_fast(project.slug, rate, max(1, math.ceil(MINUTE - seconds)))
    return None


def _full(slug: str, limit: int, waiting: int) -> str:
    if not limit:
        return f"{slug} takes no jobs: its limit is 0 that wait. An operator can raise that."
    wait = "more than that wait" if waiting > limit else f"{waiting:,} wait"
    return (
        f"No more than {_jobs(limit)} of {slug} may wait at once, and {wait} now. Try again when "
        "some have started or ended, cancel some, or ask an operator to raise the limit."
    )


def _too_fast(slug: str, rate: int, seconds: int) -> LimitReached:
    words = f"{slug} may submit no more than {_jobs(rate)} in a minute, and has done so."
    return LimitReached(f"{words} Try again in {seconds} s.", seconds)


def _jobs(number: int) -> str:
    return "1 job" if number == 1 else f"{number:,} jobs"
