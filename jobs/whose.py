"""Whose jobs a page is about: all that a person may see, or the person's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import partial
from itertools import product
from typing import Any, Generic, TypeVar

from django.db.models import QuerySet

from jobs.models import Job
from jobs.query import Term
from projects.actor import Actor
from projects.prepared import CompiledQuery, Place

Row = TypeVar("Row")


class Whose(StrEnum):
    """The choice."""

    ALL = ""
    MINE = "mine"

    def terms(self, actor: Actor) -> tuple[Term, ...]:
        """The words of a list's query that say the same."""
        return (Term("by", actor.name),) if self is Whose.MINE else ()


def whose_of(text: str) -> Whose:
    """The choice that an address names; any other word is no choice."""
    return Whose.MINE if text == Whose.MINE else Whose.ALL


class JobsQuery(Generic[Row]):
    """A query among the jobs that a page is about. Safe for many threads."""

    def __init__(self, build: Callable[..., QuerySet[Job, Row]]) -> None:
        """`build` is called with the jobs to look at, and a place for each value."""
        self._forms = {
            form: CompiledQuery(partial(_among, build, *form)) for form in product(_REACHES, Whose)
        }

    def fetch(self, actor: Actor, whose: Whose, *values: Any) -> list[Row]:
        """What it finds among those of them that the actor may see: see `CompiledQuery`."""
        ids = actor.project_ids()
        if ids is None:
            return self._forms["all", whose].fetch((), actor.id, *values)
        if len(ids) == 1:
            return self._forms["one", whose].fetch(*ids, actor.id, *values)
        return self._forms["several", whose].fetch(ids, actor.id, *values) if ids else []


# One project is a form of its own, because the jobs of one stand in an index in their order.
_REACHES: Mapping[str, Callable[[Place], QuerySet[Job]]] = {
    "all": lambda _: Job.objects.all(),
    "one": lambda project: Job.objects.filter(project=project),
    "several": lambda projects: Job.objects.filter(project__any=projects),
}


def _among(
    build: Callable[..., QuerySet[Job, Row]],
    reach: str,
    whose: Whose,
    projects: Place,
    person: Place,
    *values: Place,
) -> QuerySet[Job, Row]:
    jobs = _REACHES[reach](projects)
    return build(jobs.filter(submitted_by=person) if whose is Whose.MINE else jobs, *values)
