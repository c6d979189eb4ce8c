"""Who opens a socket, or stays with an answer that lasts: the origin of the page, and the person of
the session."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.auth.models import User
from django.http import HttpRequest, parse_cookie

from projects.actor import Actor, actor_of

_DEFAULT_PORTS = {"http": 80, "https": 443}


def origin_allowed(scope: Mapping[str, Any]) -> bool:
    """Whether the socket was opened by one of our own pages.

    Browsers send a foreign page's requests with our cookies, so this is what keeps other
    sites out. A client that names no origin is refused.
    """
    origin = _header(scope, b"origin")
    return origin is not None and _normal(origin) in _own_origins()


def session_key(scope: Mapping[str, Any]) -> str:
    """The session cookie's value, empty without one."""
    cookies = parse_cookie(_header(scope, b"cookie") or "")
    return str(cookies.get(settings.SESSION_COOKIE_NAME, ""))


def viewer_of(key: str, *, request_id: str = "") -> Actor | None:
    """The person signed in under that session key, with their present roles.

    None when the session has ended, the person was deactivated or changed the password.
    """
    if not key:
        return None
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(key)
    user = get_user(request)
    if not isinstance(user, User):
        return None
    return actor_of(user, via="web", request_id=request_id)


def _own_origins() -> set[tuple[str, str, int] | None]:
    local = [f"http://{host}:{settings.PORT}" for host in ("localhost", "127.0.0.1", "[::1]")]
    own = [*settings.CSRF_TRUSTED_ORIGINS, settings.PUBLIC_URL, *local]
    return {_normal(origin) for origin in own} - {None}


def _normal(origin: str) -> tuple[str, str, int] | None:
    """Scheme, host and port; None for what is no origin of a web page ("null", a file)."""
    try:
        parts = urlsplit(origin)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return None
    if not parts.hostname or port is None:
        return None
    return parts.scheme, parts.hostname.lower(), port


def _header(scope: Mapping[str, Any], name: bytes) -> str | None:
    for key, value in scope.get("headers", ()):
        if key == name:
            return bytes(value).decode("latin-1")
    return None
