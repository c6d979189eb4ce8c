"""Changing the ground floor: projects, tokens, the instance's identity."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models.functions import Now
from pydantic import AfterValidator, Field

from projects import tokens
from projects.actor import Actor
from projects.errors import Conflict, FieldProblem, Forbidden, Invalid, NotFound
from projects.events import Happening, record
from projects.members import UserName, first_admin_set, person_named
from projects.models import ApiToken, InstanceSettings, Project
from projects.notify import LiveChanges, notify_live
from projects.rules import one_line, slug
from projects.selectors import share_get
from projects.sql import fetch
from projects.strict import StrictModel, parse_strict

MAX_BYTES = 4096


Slug = Annotated[str, AfterValidator(slug)]
ProjectName = Annotated[str, Field(max_length=120), AfterValidator(one_line)]


class ProjectIn(StrictModel):
    """A new project."""

    slug: Slug = Field(description="What jobs name and addresses have; it stays as it is.")
    name: ProjectName = Field(default="", description="As people call it; its slug, if left out.")
    admin: UserName | None = Field(
        default=None, description="The user name of its first admin; you, if left out."
    )


class ProjectNameIn(StrictModel):
    """Another name for a project."""

    name: ProjectName


def project_create(actor: Actor, fields: Mapping[str, Any]) -> Project:
    """A new project with its first admin; `fields` are those of `ProjectIn`. Operators only.

    Raises Invalid, Forbidden, Conflict when the slug is taken.
    """
    if not actor.may_operate:
        raise Forbidden("Only operators (staff) may make projects.")
    given = parse_strict(ProjectIn, fields, most_bytes=MAX_BYTES)
    name = given.name.strip() or given.slug
    with transaction.atomic():
        first = _first_admin(actor, given.admin)
        project, new = Project.objects.get_or_create(slug=given.slug, defaults={"name": name})
        if not new:
            raise Conflict(f"There is already a project {given.slug!r}.")
        record([Happening("project", project.pk, "project.created", project.pk)], actor)
        if first is not None:
            first_admin_set(actor, project, first)
        notify_live(LiveChanges(resync={project.pk}))
    return project


def project_rename(actor: Actor, slug: str, fields: Mapping[str, Any]) -> Project:
    """Call a project otherwise; its slug stays. `fields` are those of `ProjectNameIn`. Operators
    only. Raises Invalid, Forbidden, NotFound."""
    project = share_get(actor, slug)
    if not actor.may_operate:
        raise Forbidden("Only operators (staff) may rename projects.")
    name = parse_strict(ProjectNameIn, fields, most_bytes=MAX_BYTES).name.strip() or slug
    with transaction.atomic():
        project = Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        if project.name != name:
            changes = {"name": [project.name, name]}
            project.name = name
            project.save(update_fields=["name"])
            detail = {"changes": changes}
            renamed = Happening("project", project.pk, "project.renamed", project.pk, detail=detail)
            record([renamed], actor)
            notify_live(LiveChanges(resync={project.pk}))
    return project


def token_issue(
    actor: Actor, *, user: User, name: str, expires_at: datetime | None = None
) -> tuple[ApiToken, str]:
    """A new token, for oneself only. Its text is shown once. Raises Conflict at the bound."""
    if actor.id != user.pk:
        raise Forbidden("Tokens are made by their owner.")
    name = name.strip()
    if not 1 <= len(name) <= 80:
        raise Invalid([FieldProblem("/name", "Use 1 to 80 characters.")])
    with transaction.atomic():
        token, text = tokens.issue(user, name, expires_at)
        record([Happening("token", token.pk, "token.issued", detail={"name": name})], actor)
    return token, text


def token_revoke(actor: Actor, *, token_id: int) -> None:
    """End one of the actor's own tokens; a superuser may end anybody's. Raises NotFound."""
    mine = ApiToken.objects.all() if actor.is_superuser else ApiToken.objects.filter(user=actor.id)
    with transaction.atomic():
        changed = mine.filter(pk=token_id, revoked_at__isnull=True).update(revoked_at=Now())
        if not changed:
            raise NotFound("You have no such token.")
        record([Happening("token", token_id, "token.revoked")], actor)


def password_changed(actor: Actor) -> None:
    """Record that somebody has changed their own password, inside the caller's transaction."""
    if actor.id is None:
        raise Forbidden("Only a person has a password.")
    record([Happening("user", actor.id, "password.changed")], actor)


def instance_id_renew(actor: Actor) -> uuid.UUID:
    """A new identity for this database; what the old one made belongs to it no more."""
    if not actor.may_operate:
        raise Forbidden("Only operators may do that.")
    new = uuid.uuid4()
    with transaction.atomic():
        InstanceSettings.objects.filter(pk=1).update(instance_id=new)
        fetch("settle_feed")  # it may have been cloned from another cluster
        record([Happening("instance", 1, "instance.renewed", detail={"id": str(new)})], actor)
    return new


def _first_admin(actor: Actor, name: str | None) -> User | None:
    """The person of that name, or else the one who asks; None where Gantry itself does."""
    if name is None:
        return User.objects.filter(pk=actor.id).first() if actor.id is not None else None
    return person_named(name, "/admin")
