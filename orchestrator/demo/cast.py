"""The people of the demonstration, their projects, and what each may do there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User

from projects.actor import SYSTEM, Actor, actor_of
from projects.members import membership_set
from projects.models import Membership, Project, Role
from projects.services import project_create
from projects.shares import share_set

MAIL = "demo.invalid"
"""The domain of their addresses: it tells them from real people of the same name."""

PROJECTS: Mapping[str, str] = {
    "data-platform": "Data platform",
    "ranking": "Search and ranking",
    "billing": "Billing",
}

SHARES: Mapping[str, Mapping[str, Any]] = {
    "data-platform": {"weight": 200, "running": 40, "queued": 500},
    "ranking": {"weight": 150, "gpus": 6, "memory_mb": 256 * 1024},
    "billing": {"cpu_cores": 16, "submits_per_minute": 600},
}
"""What each may use; no job of the demonstration is kept from starting by it."""

PEOPLE: Mapping[str, Mapping[str, Role]] = {
    "maya": {"data-platform": Role.ADMIN, "ranking": Role.VIEWER},
    "jonas": {"data-platform": Role.SUBMITTER, "billing": Role.VIEWER},
    "priya": {"ranking": Role.ADMIN, "data-platform": Role.VIEWER},
    "tomas": {"ranking": Role.SUBMITTER},
    "elif": {"billing": Role.ADMIN},
    "sam": {"data-platform": Role.VIEWER, "ranking": Role.VIEWER, "billing": Role.VIEWER},
}
OPERATOR = "kim"
"""Staff: runs the providers, and sees the jobs of one project."""


class NameTaken(Exception):
    """Somebody or something else has a name of the cast; the message says which."""


def assemble(password: str | None) -> dict[str, Actor]:
    """Everybody by name, made where they are missing; "admin" is the instance's own.

    Without a password nobody of the cast can sign in. Raises NameTaken before anything is made.
    """
    names = [*PEOPLE, OPERATOR]
    _must_be_ours(names)
    projects = {slug: _project(slug, name) for slug, name in PROJECTS.items()}
    secret = make_password(password)
    people = {name: _person(name, secret, anew=bool(password)) for name in names}
    for name, roles in [*PEOPLE.items(), (OPERATOR, {"data-platform": Role.VIEWER})]:
        for slug, role in roles.items():
            if not Membership.objects.filter(
                project=projects[slug], user=people[name], role=role
            ).exists():
                membership_set(SYSTEM, project=projects[slug], user=people[name], role=role)
    owner = User.objects.filter(is_superuser=True).order_by("pk").first()
    if owner is None:
        raise NameTaken("There is no administrator yet. Start Gantry once: make up")
    return {name: actor_of(user, via="cli") for name, user in people.items()} | {
        "admin": actor_of(owner, via="cli")
    }


def _must_be_ours(names: list[str]) -> None:
    """A project is of the demonstration when one of its people belongs to it."""
    strangers = User.objects.filter(username__in=names).exclude(email__endswith=f"@{MAIL}")
    if taken := strangers.order_by("username").values_list("username", flat=True).first():
        raise NameTaken(f"There is a person {taken!r} who is not of the demonstration.")
    others = Project.objects.filter(slug__in=PROJECTS).exclude(
        memberships__user__email__endswith=f"@{MAIL}"
    )
    if project := others.first():
        raise NameTaken(f"There is a project {project.slug!r} that is not of the demonstration.")


def _project(slug: str, name: str) -> Project:
    known = Project.objects.filter(slug=slug).first()
    if known is not None:
        return known
    project_create(SYSTEM, {"slug": slug, "name": name})
    return share_set(SYSTEM, slug, SHARES[slug])


def _person(name: str, secret: str, *, anew: bool) -> User:
    user = User.objects.filter(username=name).first()
    if user is None:
        return User.objects.create(
            username=name, email=f"{name}@{MAIL}", is_staff=name == OPERATOR, password=secret
        )
    if anew:
        user.password = secret
        user.save(update_fields=["password"])
    return user
