"""Who acts, and what they may do: every service and selector takes an Actor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from projects.models import ActorKind, Membership, Role
from projects.prepared import PreparedQuery

if TYPE_CHECKING:
    from django.contrib.auth.models import User

_MEMBERSHIPS = PreparedQuery(
    lambda users: Membership.objects.only("project_id", "role").filter(user__any=users)
)
_ORDER = {Role.VIEWER: 1, Role.SUBMITTER: 2, Role.ADMIN: 3}


@dataclass(frozen=True, slots=True)
class Actor:
    """A person, a token acting for a person, or a part of Gantry.

    `roles` maps project ids to the member's role; a superuser needs none. `is_staff`
    people run the instance: they manage providers. `via` is web, api, admin, cli or engine.
    """

    kind: ActorKind
    id: int | None
    name: str
    via: str
    request_id: str = ""
    is_superuser: bool = False
    is_staff: bool = False
    roles: Mapping[int, Role] = field(default_factory=dict)

    def may(self, role: Role, project_id: int) -> bool:
        """True when this actor has at least that role in the project."""
        if self.is_superuser:
            return True
        own = self.roles.get(project_id)
        return own is not None and _ORDER[own] >= _ORDER[role]

    def project_ids(self, role: Role = Role.VIEWER) -> frozenset[int] | None:
        """The projects in which this actor has at least that role; None means all."""
        if self.is_superuser:
            return None
        return frozenset(
            project for project, own in self.roles.items() if _ORDER[own] >= _ORDER[role]
        )

    @property
    def belongs_nowhere(self) -> bool:
        """True for who is a member of no project, and so is shown no job."""
        return self.project_ids() == frozenset()

    @property
    def may_operate(self) -> bool:
        """True for those who manage providers: staff and superusers."""
        return self.is_superuser or self.is_staff


SYSTEM = Actor(ActorKind.SYSTEM, None, "Gantry", "engine", is_superuser=True, is_staff=True)


def actor_of(user: User, *, via: str, request_id: str = "", token_id: int | None = None) -> Actor:
    """The actor for a signed-in user, or for a token of theirs (`token_id`); one query."""
    roles = {own.project_id: Role(own.role) for own in _MEMBERSHIPS.fetch([user.pk])}
    return Actor(
        kind=ActorKind.TOKEN if token_id else ActorKind.USER,
        id=user.pk,
        name=user.get_username(),
        via=via,
        request_id=request_id,
        is_superuser=user.is_superuser,
        is_staff=user.is_staff,
        roles=roles,
    )
