"""What every page's frame shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from django.contrib.auth.models import User
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from projects.models import Membership, Role


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the navigation; `phone`: it also stands in the bar at the bottom."""

    word: str
    icon: str
    url: str
    current: bool = False
    phone: bool = False


PHONE = frozenset({"Home", "Jobs", "Queue"})
"""What stands in the bar at the bottom of a phone; the rest is behind "More"."""


def shell(request: HttpRequest) -> dict[str, Any]:
    """Values for page.html; nothing for the pages outside the frame."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {}
    return {"shell": _Shell(request)}


class _Shell:
    """Worked out when the template asks: a fragment has no frame and costs no query."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request
        self._user = cast(User, request.user)

    @property
    def pages(self) -> list[Entry]:
        """The pages that this person may open."""
        entries = [
            self._entry("Home", "home", "home", "/"),
            self._entry("Jobs", "jobs", "jobs:list", "/jobs"),
            self._entry("Queue", "queue", "jobs:queue", "/queue"),
            self._entry("Providers", "server", "providers:list", "/providers"),
            self._entry("Activity", "activity", "activity", "/activity"),
        ]
        if self._user.is_staff:
            entries.append(self._entry("Admin", "shield", "admin:index", "/admin/"))
        entries.append(self._entry("API", "book", "api-docs", "/api/"))
        return [entry for entry in entries if entry is not None]

    def _entry(self, word: str, icon: str, route: str, prefix: str) -> Entry | None:
        try:
            url = reverse(route)
        except NoReverseMatch:
            return None
        path = self._request.path
        here = path == prefix or (prefix != "/" and path.startswith(prefix))
        return Entry(word, icon, url, here, word in PHONE)

    @property
    def may_submit(self) -> bool:
        """True when there is a project in which this person may run something."""
        return self._user.is_superuser or (
            Membership.objects.filter(
                user=self._user, role__in=[Role.SUBMITTER, Role.ADMIN]
            ).exists()
        )

    @property
    def initials(self) -> str:
        """Two letters for the round badge."""
        name = self._user.get_full_name() or self._user.get_username()
        return "".join(word[0] for word in name.split()[:2]).upper() or "?"

    @property
    def role(self) -> str:
        """What this person is to the instance."""
        if self._user.is_superuser:
            return "Administrator"
        return "Operator" if self._user.is_staff else "Member"
