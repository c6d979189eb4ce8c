"""Reading the ground floor, as far as the actor may see it."""

from __future__ import annotations

from datetime import datetime

from django.db.models import QuerySet

from projects.actor import Actor
from projects.errors import NotFound
from projects.models import ApiToken, Event, InstanceSettings, Membership, Project, Role
from projects.prepared import PreparedQuery
from projects.strict import text_problem

_BY_SLUG = PreparedQuery(lambda slugs: Project.objects.filter(slug__any=slugs))


def projects_of(actor: Actor, role: Role = Role.VIEWER) -> QuerySet[Project]:
    """The projects in which the actor has at least that role, by slug."""
    ids = actor.project_ids(role)
    return Project.objects.all() if ids is None else Project.objects.filter(pk__in=ids)


def project_named(actor: Actor, slug: str) -> Project | None:
    """One project by what somebody has typed; None where they can see none of that name."""
    return None if text_problem(slug) else projects_of(actor).filter(slug=slug).first()


def project_get(actor: Actor, slug: str) -> Project:
    """One project by slug. Raises NotFound, also when the actor is no member."""
    visible = actor.project_ids()
    for project in _BY_SLUG.fetch([slug]):
        if visible is None or project.pk in visible:
            return project
    raise NotFound(f"There is no project {slug!r} that you can see.")


def share_ids(actor: Actor) -> frozenset[int] | None:
    """The projects whose share of the instance the actor may see: members see that of theirs,
    operators that of all (None)."""
    return None if actor.may_operate else actor.project_ids()


def shares_of(actor: Actor) -> QuerySet[Project]:
    """The projects of `share_ids`, by slug."""
    ids = share_ids(actor)
    return Project.objects.all() if ids is None else Project.objects.filter(pk__in=ids)


def share_get(actor: Actor, slug: str) -> Project:
    """One project whose share the actor may see. Raises NotFound."""
    found = _BY_SLUG.fetch([slug]) if actor.may_operate else None
    return found[0] if found else project_get(actor, slug)


def members_of(project: Project, after: str = "") -> QuerySet[Membership]:
    """Who is in a project that the actor may see, by name, `after` one of them."""
    found = project.memberships.select_related("user").order_by("user__username")
    if text_problem(after):
        return found.none()
    return found.filter(user__username__gt=after) if after else found


def member_get(actor: Actor, slug: str, user_id: int) -> Membership:
    """One member of a project whose share the actor may see, by the person's number. Raises
    NotFound."""
    found = members_of(share_get(actor, slug)).filter(user=user_id).first()
    if found is None:
        raise NotFound(f"There is no such member of {slug}; they may have been removed already.")
    return found


def tokens_of(actor: Actor) -> QuerySet[ApiToken]:
    """The actor's own tokens that are not revoked, newest first."""
    return ApiToken.objects.filter(user=actor.id, revoked_at__isnull=True).order_by("-id")


def subject_events(
    kind: str,
    subject_id: int,
    *,
    after: int = 0,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int = 100,
) -> list[Event]:
    """Events of one subject, oldest first: after an event's id, and between two times, those at
    them too.

    For the selectors of jobs and providers, which have checked that the actor may see it.
    """
    found = Event.objects.filter(subject_kind=kind, subject_id=subject_id, pk__gt=after)
    if since is not None:
        found = found.filter(at__gte=since)
    if until is not None:
        found = found.filter(at__lte=until)
    return list(found.order_by("pk")[:limit])


def latest_subject_events(
    kind: str, subject_id: int, *, type_: str = "", limit: int = 100
) -> list[Event]:
    """The newest events of one subject, newest first, of one type if that is given."""
    found = Event.objects.filter(subject_kind=kind, subject_id=subject_id)
    if type_:
        found = found.filter(type=type_)
    return list(found.order_by("-pk")[:limit])


def instance_settings() -> InstanceSettings:
    """The one row of instance settings."""
    return InstanceSettings.objects.get(pk=1)
