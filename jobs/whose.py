"""Whose jobs a page is about: all that a person may see, or the person's own."""

from __future__ import annotations

from enum import StrEnum

from django.db.models import QuerySet

from jobs.models import Job
from jobs.query import Term
from jobs.selectors import jobs_of
from projects.actor import Actor


class Whose(StrEnum):
    """The choice."""

    ALL = ""
    MINE = "mine"

    def jobs(self, actor: Actor) -> QuerySet[Job]:
        """Those jobs, of the ones that the actor may see."""
        found = jobs_of(actor)
        return found.filter(submitted_by=actor.id) if self is Whose.MINE else found

    def terms(self, actor: Actor) -> tuple[Term, ...]:
        """The words of a list's query that say the same."""
        return (Term("by", actor.name),) if self is Whose.MINE else ()


def whose_of(text: str) -> Whose:
    """The choice that an address names; any other word is no choice."""
    return Whose.MINE if text == Whose.MINE else Whose.ALL
