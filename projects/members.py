"""Who belongs to a project and as what: added by name, given another role, removed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from django.contrib.auth.models import User
from django.db import transaction
from pydantic import Field

from projects.actor import Actor
from projects.errors import Conflict, FieldProblem, Forbidden, Invalid, NotFound
from projects.events import Happening, record
from projects.models import Membership, Project, Role
from projects.notify import LiveChanges, notify_live
from projects.selectors import share_get
from projects.strict import StrictModel, parse_strict

MAX_BYTES = 4096

UserName = Annotated[str, Field(max_length=150)]


class MemberIn(StrictModel):
    """A new member."""

    user: UserName = Field(description="The user name of somebody who may sign in.")
    role: Literal["viewer", "submitter", "admin"]


def may_manage(actor: Actor, project: Project) -> bool:
    """True for who adds, changes and removes members: the project's admins, and superusers."""
    return actor.may(Role.ADMIN, project.pk)


def must_manage(actor: Actor, project: Project) -> None:
    """Raises Forbidden for who may see the project and not change its members, NotFound for who
    may not even see it."""
    share_get(actor, project.slug)
    if not may_manage(actor, project):
        raise _forbidden(project)


def member_add(actor: Actor, slug: str, fields: Mapping[str, Any]) -> Membership:
    """Make a person a member; `fields` are those of `MemberIn`.

    Raises Invalid, Forbidden, NotFound, Conflict when they are one already.
    """
    project = share_get(actor, slug)
    must_manage(actor, project)
    given = parse_strict(MemberIn, fields, most_bytes=MAX_BYTES)
    user = person_named(given.user, "/user")
    with transaction.atomic():
        _in_turn(actor, project)
        before = project.memberships.filter(user=user).first()
        if before is not None:
            raise Conflict(
                f"{user.get_username()} is in {slug} already, as {before.role}: nothing is changed."
            )
        return _put(actor, project, user, None, Role(given.role))


def membership_set(actor: Actor, *, project: Project, user: User, role: Role) -> Membership:
    """Make a person a member, or change their role.

    Raises Forbidden, NotFound, Conflict when the last admin would be one no more.
    """
    must_manage(actor, project)
    with transaction.atomic():
        _in_turn(actor, project)
        before = project.memberships.filter(user=user).first()
        if before is not None and role != Role.ADMIN:
            _must_leave_an_admin(actor, before)
        return _put(actor, project, user, before, role)


def membership_remove(actor: Actor, *, project: Project, user: User) -> None:
    """End a membership.

    Raises Forbidden, NotFound when there is none, Conflict when it is that of the last admin.
    """
    must_manage(actor, project)
    with transaction.atomic():
        _in_turn(actor, project)
        before = project.memberships.filter(user=user).first()
        if before is None:
            raise NotFound(f"{user.get_username()} is no member of {project.slug}.")
        _must_leave_an_admin(actor, before)
        before.delete()
        _tell(actor, project, user, before.role, "")


def first_admin_set(actor: Actor, project: Project, user: User) -> None:
    """Make somebody the first admin of a project that the actor has just made, inside the
    caller's transaction."""
    _put(actor, project, user, None, Role.ADMIN)


def person_named(name: str, pointer: str) -> User:
    """Who has that user name and may sign in. Raises Invalid at that field: it does not tell
    apart who is not there and who is switched off."""
    found = User.objects.filter(username=name, is_active=True).first()
    if found is None:
        raise Invalid([FieldProblem(pointer, "There is nobody of that name who may sign in.")])
    return found


def _in_turn(actor: Actor, project: Project) -> None:
    """Members change in turn: of two admins who remove each other, one stays. Raises Forbidden for
    who was an admin when they asked, and is none any more now that it is their turn."""
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    own = project.memberships.filter(user=actor.id, role=Role.ADMIN)
    if not actor.is_superuser and not own.exists():
        raise _forbidden(project)


def _forbidden(project: Project) -> Forbidden:
    return Forbidden(f"Only admins of {project.slug} may change its members.")


def _must_leave_an_admin(actor: Actor, before: Membership) -> None:
    """Refuses to take the last admin who may sign in from a project: nobody in it could give it
    another. Superusers can."""
    if actor.is_superuser or before.role != Role.ADMIN:
        return
    admins = before.project.memberships.filter(role=Role.ADMIN, user__is_active=True)
    if not admins.exclude(pk=before.pk).exists():
        raise Conflict(
            f"{before.user.get_username()} is the last admin of {before.project.slug}: "
            "make somebody else an admin first."
        )


def _put(
    actor: Actor, project: Project, user: User, before: Membership | None, role: Role
) -> Membership:
    """The membership with that role. What is so already is no event."""
    if before is not None and before.role == role:
        return before
    membership, _ = Membership.objects.update_or_create(
        project=project, user=user, defaults={"role": role}
    )
    _tell(actor, project, user, before.role if before else "", role)
    return membership


def _tell(actor: Actor, project: Project, user: User, before: str, after: str) -> None:
    """The event, and the notice to the pages of the project."""
    detail = {"user": user.get_username()}
    record(
        [Happening("project", project.pk, "member.changed", project.pk, before, after, "", detail)],
        actor,
    )
    notify_live(LiveChanges(resync={project.pk}))
