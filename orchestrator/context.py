"""What every page's frame shows."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from projects.models import Membership, Role
from projects.preferences import UNCHOSEN, preferences_chosen

_KEYS = {
    "Home": "h", "Jobs": "j", "Queue": "q", "Projects": "o", "Providers": "p", "Activity": "a",
    "Settings": "s",
}  # fmt: skip
"""With g before it, the key that leads there."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the navigation; `phone`: it stands in the bar at the bottom, not under More."""

    word: str
    icon: str
    url: str
    current: bool = False
    phone: bool = False
    key: str = ""


PHONE = frozenset({"Home", "Jobs", "Queue"})
"""What stands in the bar at the bottom of a phone; the rest is behind "More"."""


def shell(request: HttpRequest) -> dict[str, Any]:
    """Values for page.html; nothing but a cookie's name for the pages outside the frame."""
    outside: dict[str, Any] = {"zone_cookie": settings.ZONE_COOKIE_NAME}
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return outside
    return outside | {"shell": _Shell(request)}


def frame(request: HttpRequest) -> dict[str, Any]:
    """Which frame a page of what went wrong stands in."""
    user = getattr(request, "user", None)
    known = user is not None and user.is_authenticated
    return {"frame": "page.html" if known else "lone.html"}


def frame_unread(request: HttpRequest) -> dict[str, Any]:
    """The same and its values, without a question to the database."""
    user = getattr(request, "_cached_user", None)  # what the middleware read, if it came to that
    outside: dict[str, Any] = {
        "zone_cookie": settings.ZONE_COOKIE_NAME,
        "messages": (),
        "unread": True,  # nobody's choices are known: what the browser has of them stays
    }
    if user is None or not user.is_authenticated:
        return outside | {"frame": "lone.html"}
    return outside | {"frame": "page.html", "user": user, "shell": _UnreadShell(request)}


class _Shell:
    """Worked out when the template asks: a fragment has no frame and costs no query."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request
        self._user = cast(User, request.user)

    @cached_property
    def pages(self) -> list[Entry]:
        """The pages that this person may open; each frame lists them three times."""
        entries = [
            self._entry("Home", "home", "home", "/"),
            self._entry("Jobs", "jobs", "jobs:list", "/jobs"),
            self._entry("Queue", "queue", "jobs:queue", "/queue"),
            self._entry("Projects", "folder", "projects", "/projects"),
            self._entry("Providers", "server", "providers:list", "/providers"),
            self._entry("Activity", "activity", "activity", "/activity"),
            self._entry("Settings", "sliders", "settings:page", "/settings"),
        ]
        if self._administers:
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
        return Entry(word, icon, url, here, word in PHONE, _KEYS.get(word, ""))

    @property
    def _administers(self) -> bool:
        """True when the admin has something to show to this person: being staff opens it, not one
        page of it. Permissions are read once for a request, and only for staff."""
        user = self._user
        return user.is_superuser or (user.is_staff and bool(admin.site.get_app_list(self._request)))

    @cached_property
    def chosen(self) -> dict[str, str]:
        """What this person has chosen of how pages look; one query."""
        return preferences_chosen(self._user.pk)

    @property
    def chosen_json(self) -> str:
        """The same for the scripts."""
        return json.dumps(self.chosen)

    @property
    def prefs(self) -> dict[str, str]:
        """The choices, and what is so without one."""
        return {**UNCHOSEN, **self.chosen}

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


class _UnreadShell(_Shell):
    """The frame when the database may not answer: what needs a question is left out."""

    @property
    def _administers(self) -> bool:
        """Permissions are not known now."""
        return self._user.is_superuser

    @cached_property
    def chosen(self) -> dict[str, str]:
        """Not known now; prefs.js then takes what the browser remembers."""
        return {}

    @property
    def chosen_json(self) -> str:
        """Not known now."""
        return ""

    @property
    def may_submit(self) -> bool:
        """Not known now."""
        return False
