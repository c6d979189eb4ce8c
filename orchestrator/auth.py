"""Who calls the API: a bearer token, or the session of a signed-in person with CSRF.

Both answer an `Actor`, or None where their kind of proof is absent. Each also leaves on
the request how to ask again (`request.reauthenticate`), for answers that last long.
"""

from __future__ import annotations

from django.http import HttpRequest
from ninja.security import HttpBearer
from ninja.security.base import AuthBase
from ninja.utils import check_csrf

from orchestrator.viewer import viewer_of
from projects.actor import Actor, actor_of
from projects.errors import Forbidden, GantryError
from projects.tokens import authenticate


class Unauthenticated(GantryError):
    """Nobody we know: sign in or send a valid token."""


class CsrfFailed(Forbidden):
    """A browser's session without proof that our own page sent the request."""


def _request_id(request: HttpRequest) -> str:
    return str(getattr(request, "request_id", ""))


class BearerToken(HttpBearer):
    """`Authorization: Bearer gtr_…`. A wrong token is refused even with a good session."""

    def authenticate(self, request: HttpRequest, token: str) -> Actor:
        def ask() -> Actor | None:
            return authenticate(token.strip(), via="api", request_id=_request_id(request))

        actor = ask()
        if actor is None:
            raise Unauthenticated("The token is not valid, has expired or was revoked.")
        request.reauthenticate = ask  # type: ignore[attr-defined]
        return actor


class SessionCookie(AuthBase):
    """The session cookie of a signed-in person; unsafe methods need the CSRF token too."""

    openapi_type = "apiKey"
    openapi_in = "cookie"
    openapi_name = "session"

    def __init__(self, cookie_name: str) -> None:
        self.param_name = cookie_name
        super().__init__()
        self.openapi_security_schema["name"] = cookie_name

    def __call__(self, request: HttpRequest) -> Actor | None:
        user = request.user
        if not user.is_authenticated:
            return None
        if check_csrf(request) is not None:
            raise CsrfFailed("Send the CSRF token in X-CSRFToken, or use an API token.")

        key = request.session.session_key or ""

        def ask() -> Actor | None:
            # The session and not the person: it ends by signing out and with the password.
            return viewer_of(key, request_id=_request_id(request))

        request.reauthenticate = ask  # type: ignore[attr-defined]
        return actor_of(user, via="web", request_id=_request_id(request))
