"""Until when a person has seen what went wrong: of everything, and of single things.

A thing is what is of one kind with the jobs of one name: their failures, their long runs, their
waits; or the pause of a project, which has no name. What came to be before its mark is not shown
again. A mark never moves back, and never into what is still to come.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from jobs.last_runs import Name
from jobs.models import Seen
from projects.actor import Actor
from projects.prepared import PreparedQuery

KINDS = ("failed", "overlong", "waits", "paused")
FIRST_LOOK = timedelta(days=1)
"""So far back before they came a person looks for what failed."""
FURTHEST = timedelta(days=7)
"""What failed before wants nobody's attention any more."""
MOST_MARKS = 200
"""So many things a person keeps marked; those marked first come up again."""
NEVER = datetime(2000, 1, 1, tzinfo=UTC)
"""Before anything that Gantry knows."""

_JOINED = PreparedQuery(lambda ids: User.objects.only("date_joined").filter(pk__any=ids))
_MARKS = PreparedQuery(lambda users: Seen.objects.filter(user__any=users))

Thing = tuple[str, Name]
"""What can be marked: its kind, and the name of its jobs in their project."""


@dataclass(frozen=True, slots=True)
class Marks:
    """The marks of one person. `past`: what had failed by then is not looked for; what is in
    trouble now is, however long it has been."""

    past: datetime
    until: datetime = NEVER
    of_things: Mapping[Thing, datetime] = field(default_factory=dict)

    @property
    def failed_after(self) -> datetime:
        """Failures are looked for from then on."""
        return max(self.past, self.until)

    @property
    def text(self) -> str:
        """Differs where other things are marked."""
        latest = max((self.until, *self.of_things.values()))
        return f"{len(self.of_things)}-{latest.timestamp()}"

    def hide(self, kind: str, name: Name, at: datetime) -> bool:
        """Whether what came to be then was seen."""
        return at <= max(self.until, self.of_things.get((kind, name), NEVER))


def marks_of(actor: Actor, now: datetime) -> Marks:
    """A person's marks; two queries."""
    person = [] if actor.id is None else [actor.id]
    joined = next((user.date_joined for user in _JOINED.fetch(person)), now)
    until, things = NEVER, dict[Thing, datetime]()
    for mark in _MARKS.fetch(person):
        if mark.project_id is None:
            until = mark.until
        else:
            things[mark.kind, (mark.project_id, mark.name)] = mark.until
    return Marks(max(now - FURTHEST, joined - FIRST_LOOK), until, things)


def acknowledge(actor: Actor, until: datetime, thing: Thing | None = None) -> None:
    """All that came to be until then is seen: of one thing, or of everything.

    `until` is what the page showed, so that nothing newer goes with it unseen.
    """
    if actor.id is None:
        return  # no person
    kind, (project, name) = thing if thing is not None else ("", (None, ""))
    at = min(until, timezone.now())
    own = Seen.objects.filter(user=actor.id)
    with transaction.atomic():
        mark = Seen(user_id=actor.id, project_id=project, name=name, kind=kind, until=at)
        Seen.objects.bulk_create([mark], ignore_conflicts=True)
        own.filter(project=project, name=name, kind=kind, until__lt=at).update(until=at)
        things = own.filter(project__isnull=False)
        if thing is None:
            things.filter(until__lte=at).delete()  # they say nothing any more
        kept = things.order_by("-until", "-pk").values("pk")[:MOST_MARKS]
        things.exclude(pk__in=kept).delete()
