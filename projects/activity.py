"""Reading what happened, newest first, as far as the actor may see it.

Events of a project are for its members, events of the instance (of providers, tokens, settings)
for operators. Ids become visible out of order, so a walk through the pages is one of the moment
in which it began: its cursor carries the snapshot of the first page, what was not committed then
is on none of its pages, and `news` counts that.

What no index leads to is looked for in so many events at a time: `searched_to` says how far.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.core import signing
from django.db import connection
from django.db.models import BooleanField, Func, Q, QuerySet, Value

from projects.actor import Actor
from projects.cursors import make_key_cursor, read_key_cursor
from projects.errors import BadRequest
from projects.models import ActorKind, Event, Project
from projects.sql import fetch

SEARCHED_AT_ONCE = 50_000
NEWS_LOOKED_AT = 5_000
"""The newest events that are looked at for news: the work does not grow with a mark's age."""
MOST_PARTS = 40
"""Projects that are read one by one, each in its own order; more are read all together."""
_SLACK = 1000
_MARK = "gantry.activity"
_BEYOND_ALL = 2**63 - 1
_QUEUE_MOVES = ("job.placed", "job.requeued", "job.retried", "job.submitted")
_SUBJECT_OF = {
    "attempt": "job", "instance": "instance", "job": "job", "member": "project",
    "password": "user", "project": "project", "provider": "provider", "retention": "instance",
    "token": "token",
}  # fmt: skip


class Who(StrEnum):
    """Whose doing: of people and their tokens, of Gantry's own parts, or of anybody."""

    PEOPLE = "people"
    GANTRY = "gantry"
    ALL = "all"


PEOPLE = (ActorKind.TOKEN, ActorKind.USER)


@dataclass(frozen=True, slots=True)
class ActivityFilter:
    """What is asked for. `type` is a whole one (`job.cancelled`) or all of a kind (`job`);
    `project` and `subject` are ids, the latter of the kind `subject_kind`."""

    who: Who = Who.PEOPLE
    person: str = ""
    project: int | None = None
    type: str = ""
    subject_kind: str = ""
    subject: int | None = None
    since: datetime | None = None

    def condition(self) -> Q:
        """What an event must be, but for its project."""
        where = Q()
        if self.person:
            where &= Q(actor_kind__in=PEOPLE, actor_name=self.person)
        elif self.who is not Who.ALL:
            people = Q(actor_kind__in=PEOPLE)
            where &= people if self.who is Who.PEOPLE else ~people
        if self.type:
            kind = self.type.partition(".")[0]
            exact = kind != self.type
            where &= Q(type=self.type) if exact else Q(type__startswith=f"{kind}.")
            if kind in _SUBJECT_OF:
                where &= Q(subject_kind=_SUBJECT_OF[kind])
        if self.subject is not None:
            where &= Q(subject_kind=self.subject_kind, subject_id=self.subject)
        return where & Q(at__gte=self.since) if self.since else where

    @property
    def is_sparse(self) -> bool:
        """True where many events may have to be passed over to find one: of a type that only
        jobs have, of which there are very many."""
        kind = self.type.partition(".")[0]
        return bool(kind) and self.subject is None and _SUBJECT_OF.get(kind, "job") == "job"


@dataclass(frozen=True, slots=True)
class Found:
    """A page. `mark` names the moment of the walk; `searched_to` is set where the search went
    back to then and found no full page, with older events left to look at."""

    items: Sequence[Event]
    mark: str
    next_cursor: str | None = None
    searched_to: datetime | None = None


@dataclass(frozen=True, slots=True)
class News:
    """How many events were committed since a moment: at least so many, or `exact`."""

    count: int
    exact: bool

    @property
    def any(self) -> bool:
        """True where there are or may be some."""
        return self.count > 0 or not self.exact

    @property
    def text(self) -> str:
        """As people read it: "12 new", "100+ new", "Perhaps some new"."""
        more = "" if self.exact else "+"
        return f"{self.count:,}{more} new" if self.count else "Perhaps some new"


def activity_page(
    actor: Actor,
    wanted: ActivityFilter,
    *,
    limit: int,
    cursor: str | None = None,
    mark: str = "",
    filters: dict[str, list[str]],
) -> Found:
    """A page of events; with the `mark` of an earlier first page, that page again.

    Raises BadRequest for a cursor or mark that is not ours, or of another list.
    """
    bound = {**filters, "list": ["activity"]}
    before = _BEYOND_ALL
    if cursor:
        before, snapshot = read_key_cursor(cursor, bound, 2)
    else:
        snapshot = _snapshot_of(mark) if mark else _snapshot_now()
    parts, oldest = _parts(actor, wanted), _first_since(wanted.since)
    scanned = wanted.is_sparse
    if len(parts) > MOST_PARTS:
        parts, scanned = [_visible(actor, wanted)], True
    floor = max(oldest, _search_floor(before)) if scanned else oldest
    items = _read(parts, wanted.condition(), snapshot, before, floor, limit + 1)
    sealed = signing.dumps(snapshot, salt=_MARK)
    if len(items) > limit:
        items = items[:limit]
        return Found(items, sealed, make_key_cursor((items[-1].pk, snapshot), bound))
    if parts and floor > oldest:
        reached = Event.objects.filter(pk__lte=floor).order_by("-pk").values_list("at", flat=True)
        if (at := reached.first()) is not None:
            return Found(items, sealed, make_key_cursor((floor + 1, snapshot), bound), at)
    return Found(items, sealed)


def news(actor: Actor, wanted: ActivityFilter, mark: str, *, most: int = 100) -> News:
    """How many events were committed since that moment, counted to `most`, and among the newest
    NEWS_LOOKED_AT of any kind."""
    snapshot = _snapshot_of(mark)
    for xid, first, number in fetch("newest_since", [snapshot, NEWS_LOOKED_AT]):
        found = Event.objects.filter(_visible(actor, wanted), wanted.condition())
        since = found.filter(_From(Value(xid), Value(first)), ~Q(_CommittedBy(Value(snapshot))))
        count = since.order_by()[: most + 1].count()
        return News(min(count, most), count <= most and number < NEWS_LOOKED_AT)
    return News(0, True)


def project_slugs(actor: Actor, ids: Sequence[int]) -> dict[int, str]:
    """Slugs of projects by id, of those that the actor may see."""
    visible = actor.project_ids()
    known = [pk for pk in ids if visible is None or pk in visible]
    return dict(Project.objects.filter(pk__in=known).values_list("pk", "slug"))


def _visible(actor: Actor, wanted: ActivityFilter) -> Q:
    """Which projects' events, and whether those of the instance, as one condition."""
    ids = actor.project_ids()
    if wanted.project is not None:
        return Q(project=wanted.project) & (Q() if ids is None else Q(project__in=sorted(ids)))
    if ids is None:
        return Q()
    own = Q(project__in=sorted(ids))
    return own | Q(project__isnull=True) if actor.may_operate else own


def _parts(actor: Actor, wanted: ActivityFilter) -> list[Q]:
    """The same as conditions that each have an index in the order of the list."""
    ids = actor.project_ids()
    if wanted.project is not None or wanted.subject is not None:
        return [_visible(actor, wanted)]
    if ids is None:
        if not wanted.person:
            return [Q()]
        ids = frozenset(Project.objects.values_list("pk", flat=True)[: MOST_PARTS + 1])
    parts = [Q(project=pk) for pk in sorted(ids)]
    return [*parts, Q(project__isnull=True)] if actor.may_operate else parts


def _first_since(since: datetime | None) -> int:
    """An id below all that happened since then: ids and times go together, but for what is
    under way in one moment."""
    if since is None:
        return 0
    older = Event.objects.filter(type__in=_QUEUE_MOVES, at__lt=since)
    found = older.order_by("-at").values_list("pk", flat=True).first()
    return max(0, (found or 0) - _SLACK)


def _search_floor(before: int) -> int:
    if before == _BEYOND_ALL:
        newest = Event.objects.order_by("-pk").values_list("pk", flat=True).first()
        before = (newest or 0) + 1
    return max(0, before - 1 - SEARCHED_AT_ONCE)


def _read(
    parts: Sequence[Q], where: Q, snapshot: str, before: int, floor: int, limit: int
) -> list[Event]:
    if not parts:
        return []
    where &= Q(pk__lt=before, pk__gt=floor)
    found: list[QuerySet[Event]] = [
        Event.objects.filter(part, where)
        .filter(_CommittedBy(Value(snapshot)))
        .order_by("-pk")[:limit]
        for part in parts
    ]
    if len(found) == 1:
        return list(found[0])
    return list(found[0].union(*found[1:], all=True).order_by("-id")[:limit])


class _CommittedBy(Func):
    """True of an event that was committed in the moment of a snapshot, or is of this very
    transaction. One of a restored database may bear a number that transactions reach only
    later: it is an old one."""

    output_field = BooleanField()
    template = (
        "(pg_visible_in_snapshot(projects_event.xid, %(expressions)s::pg_snapshot)"
        " OR projects_event.xid >= pg_snapshot_xmax(pg_current_snapshot())"
        " OR projects_event.xid IS NOT DISTINCT FROM pg_current_xact_id_if_assigned())"
    )


class _From(Func):
    """True of an event that stands at or after that place in the feed, and of no transaction that
    is still to come."""

    output_field = BooleanField()
    arg_joiner = "::xid8, "
    template = (
        "((projects_event.xid, projects_event.id) >= (%(expressions)s)"
        " AND projects_event.xid < pg_snapshot_xmax(pg_current_snapshot()))"
    )


def _snapshot_now() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_snapshot()::text")
        return str(cursor.fetchone()[0])


def _snapshot_of(mark: str) -> str:
    try:
        return str(signing.loads(mark, salt=_MARK))
    except signing.BadSignature:
        raise BadRequest("The mark is not one of ours; begin again without it.") from None
