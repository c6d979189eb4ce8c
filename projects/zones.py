"""Time zones: in which one this request tells times.

A browser says its zone in a cookie (static/js/prefs.js): the one that its person chose, or
its own. What is stored and what the API answers is UTC, whatever the zone.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

LOCAL = "local"
_YEAR_S = 365 * 24 * 3600


def zone_middleware(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Tells the times of a page in the zone of its browser; without a known one in UTC."""

    def answer(request: HttpRequest) -> HttpResponse:
        name = request.COOKIES.get(settings.ZONE_COOKIE_NAME, "")
        with timezone.override(_zone(name)):
            return get_response(request)

    return answer


def zone_known(name: str) -> bool:
    """True for the names that times can be told in."""
    return name in _all()


def zones_offered() -> dict[str, list[str]]:
    """The zones to choose from by part of the world, without the historical spellings."""
    found: dict[str, list[str]] = {}
    for name in sorted(_all()):
        part, slash, _ = name.partition("/")
        if slash and part not in ("Etc", "SystemV", "US", "Canada", "Brazil", "Chile", "Mexico"):
            found.setdefault(part, []).append(name)
    return found


def keep_zone(response: HttpResponse, chosen: str) -> None:
    """Let this browser's next pages be in that zone; its own is for itself to say."""
    if chosen != LOCAL:
        response.set_cookie(
            settings.ZONE_COOKIE_NAME,
            chosen,
            max_age=_YEAR_S,
            secure=settings.SESSION_COOKIE_SECURE,
            samesite="Lax",
        )


def clock_text(moment: datetime) -> str:
    """The time of day in this request's zone: "14:03:12"."""
    return f"{timezone.localtime(moment):%H:%M:%S}"


def day_and_time_text(moment: datetime) -> str:
    """The day and the time in this request's zone: "14 Nov 12:03"."""
    here = timezone.localtime(moment)
    return f"{here.day} {here:%b %H:%M}"


def moment_text(moment: datetime) -> str:
    """Day, time and zone: "2026-11-26 14:03:12 UTC"."""
    return f"{timezone.localtime(moment):%Y-%m-%d %H:%M:%S %Z}"


def _zone(name: str) -> tzinfo:
    return ZoneInfo(name) if name != "UTC" and zone_known(name) else UTC


@cache
def _all() -> frozenset[str]:
    return frozenset(available_timezones() | {"UTC"})
