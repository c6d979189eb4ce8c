"""Until when a person has seen what went wrong: of everything, and of single jobs by name.

What is older than that is not shown again. A mark never moves back, and never into what is
still to come.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from jobs.last_runs import Name
from jobs.models import Seen
from projects.actor import Actor

FIRST_LOOK = timedelta(days=1)
"""So far back a person looks who has never been here."""
FURTHEST = timedelta(days=7)
"""What is older wants nobody's attention any more."""


@dataclass(frozen=True, slots=True)
class Marks:
    """The marks of one person."""

    until: datetime
    of_names: Mapping[Name, datetime] = field(default_factory=dict)

    def hide(self, name: Name, at: datetime) -> bool:
        """Whether what happened then to a job of that name was seen."""
        return at <= self.until or at <= self.of_names.get(name, self.until)


def marks_of(actor: Actor, now: datetime) -> Marks:
    """A person's marks; one query."""
    until = now - FIRST_LOOK
    named: dict[Name, datetime] = {}
    for mark in Seen.objects.filter(user=actor.id):
        if mark.project_id is None:
            until = mark.until
        else:
            named[mark.project_id, mark.name] = mark.until
    return Marks(max(until, now - FURTHEST), named)


def begin(actor: Actor) -> None:
    """A person's first visit: from now on nothing is missed, however long they stay away."""
    own = Seen.objects.filter(user=actor.id, project=None)
    if actor.id is not None and not own.exists():
        first = Seen(user_id=actor.id, until=timezone.now() - FIRST_LOOK)
        Seen.objects.bulk_create([first], ignore_conflicts=True)


def acknowledge(actor: Actor, until: datetime, name: Name | None = None) -> None:
    """All that happened until then is seen: to the jobs of one name, or to all of them.

    `until` is what the page showed, so that nothing newer goes with it unseen.
    """
    if actor.id is None:
        return  # no person
    project, text = name if name is not None else (None, "")
    at = min(until, timezone.now())
    own = Seen.objects.filter(user=actor.id)
    with transaction.atomic():
        mark = Seen(user_id=actor.id, project_id=project, name=text, until=at)
        Seen.objects.bulk_create([mark], ignore_conflicts=True)
        own.filter(project=project, name=text, until__lt=at).update(until=at)
        # Marks of names that say nothing any more.
        old = max(at, timezone.now() - FURTHEST) if name is None else timezone.now() - FURTHEST
        own.filter(project__isnull=False, until__lte=old).delete()
