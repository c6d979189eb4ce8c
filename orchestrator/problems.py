"""Errors as `application/problem+json` (RFC 9457): what went wrong and what to do.

`type` leads to a page that tells what it means, `code` is for programs, `errors` names each wrong
field by JSON pointer (for query parameters: `/name`), `request_id` is what to quote to an operator.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence

from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse
from django.http.request import UnreadablePostError
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError
from psycopg.errors import QueryCanceled

from orchestrator.auth import CsrfFailed, Unauthenticated
from projects.database_down import is_down
from projects.errors import (
    BadRequest,
    Conflict,
    FieldProblem,
    Forbidden,
    GantryError,
    Invalid,
    LimitReached,
    NotFound,
)
from projects.http import TooLarge, UnsupportedMedia

log = logging.getLogger("gantry.api")
CONTENT_TYPE = "application/problem+json"
RETRY_SECONDS = 2
"""After so long something that is not available now may be asked for again."""

TOOK_TOO_LONG = "The database needed too long for this. Ask for less, or try again in a moment."
DATABASE_DOWN = "The database does not answer, has no room, or takes no changes now."

# Class of error → status and code, the most special first.
_BY_CLASS: tuple[tuple[type[Exception], int, str], ...] = (
    (Unauthenticated, 401, "unauthenticated"),
    (AuthenticationError, 401, "unauthenticated"),
    (CsrfFailed, 403, "csrf_failed"),
    (Forbidden, 403, "forbidden"),
    (NotFound, 404, "not_found"),
    (Http404, 404, "not_found"),
    (Conflict, 409, "conflict"),
    (TooLarge, 413, "too_large"),
    (RequestDataTooBig, 413, "too_large"),
    (UnsupportedMedia, 415, "unsupported_media_type"),
    (Invalid, 422, "invalid"),
    (LimitReached, 429, "limit_reached"),
    (ValidationError, 422, "invalid"),
    (BadRequest, 400, "bad_request"),
    (UnreadablePostError, 400, "bad_request"),
    (SuspiciousOperation, 400, "bad_request"),
)

TITLES = {
    "bad_request": "The request cannot be read",
    "unauthenticated": "Sign in or send a token",
    "csrf_failed": "The CSRF token is missing or wrong",
    "forbidden": "Not allowed",
    "not_found": "Not found",
    "method_not_allowed": "This address does not take that method",
    "conflict": "Not possible in this state",
    "too_large": "The body is too large",
    "unsupported_media_type": "The body is not JSON",
    "invalid": "Some fields are wrong",
    "limit_reached": "A limit of the project is reached",
    "internal": "Something broke on our side",
    "unavailable": "Not available now",
}
WHAT_TO_DO = {
    "bad_request": "Mend what `detail` names: a parameter, the body's JSON, or how it was sent.",
    "unauthenticated": "Send `Authorization: Bearer gtr_…` with a token that is valid still.",
    "csrf_failed": "With a session and no token, send its CSRF token in `X-CSRFToken`.",
    "forbidden": "It is there, and you may not do that: ask its admin or an operator.",
    "not_found": "It is not there, or not for you to see: the two are answered alike.",
    "method_not_allowed": "Use a method that the `Allow` header names.",
    "conflict": "Look at it again: it has changed, or its state does not allow that.",
    "too_large": "Send less, or in several requests.",
    "unsupported_media_type": "Send JSON, with `Content-Type: application/json`.",
    "invalid": "Mend each field that `errors` names by its JSON pointer.",
    "limit_reached": "Try again later, after `Retry-After` where it is told, or ask for more.",
    "internal": "Quote the `request_id` to an operator; whether it was done is not known.",
    "unavailable": "Try again after `Retry-After`; an `Idempotency-Key` makes nothing twice.",
}
_BY_STATUS = {
    400: "bad_request",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "too_large",
    415: "unsupported_media_type",
    422: "invalid",
    429: "limit_reached",
    503: "unavailable",
}


def statuses() -> dict[str, int]:
    """The HTTP status of each code."""
    by_class = {code: status for _, status, code in _BY_CLASS}
    return {"internal": 500} | {code: status for status, code in _BY_STATUS.items()} | by_class


def problem(
    request: HttpRequest,
    status: int,
    detail: str = "",
    *,
    code: str = "",
    errors: Sequence[FieldProblem] = (),
) -> HttpResponse:
    """One problem document. Without `code`, the status' own."""
    code = code or _BY_STATUS.get(status, "internal")
    body = {
        "type": f"/api/v1/problems#{code}",
        "title": TITLES[code],
        "status": status,
        "detail": detail or TITLES[code] + ".",
        "instance": request.path,
        "code": code,
        "errors": [{"pointer": e.pointer, "detail": e.detail} for e in errors],
        "request_id": str(getattr(request, "request_id", "")),
    }
    response = HttpResponse(json.dumps(body), status=status, content_type=CONTENT_TYPE)
    response["Cache-Control"] = "no-store"
    if status == 401:
        response["WWW-Authenticate"] = 'Bearer realm="Gantry"'
    if status == 503:
        response["Retry-After"] = str(RETRY_SECONDS)
    return response


def took_too_long(error: BaseException | None) -> bool:
    """True when the database broke a statement off at the limit that settings.py sets."""
    return error is not None and isinstance(error.__cause__, QueryCanceled)


def is_api(request: HttpRequest) -> bool:
    """True for addresses whose errors are problem documents, not pages."""
    return request.path.startswith("/api/")


def problem_of(request: HttpRequest, error: Exception) -> HttpResponse:
    """The problem document of an error; what we did not expect is logged and says nothing."""
    if isinstance(error, Invalid):
        return problem(request, 422, "See errors for each field.", errors=error.problems)
    for cls, status, code in _BY_CLASS:
        if isinstance(error, cls):
            detail = str(error) if isinstance(error, GantryError) else ""
            response = problem(request, status, detail, code=code)
            if isinstance(error, LimitReached) and error.retry_after is not None:
                response["Retry-After"] = str(error.retry_after)
            return response
    if isinstance(error, HttpError):
        return problem(request, error.status_code, str(error))
    if took_too_long(error):
        log.error("%s %r failed: the database needed too long", request.method, request.path)
        return problem(request, 503, TOOK_TOO_LONG)
    if is_down(error):
        log.error("%s %r failed: the database: %s", request.method, request.path, error)
        return problem(request, 503, DATABASE_DOWN + " Try again.")
    log.error("%s %r failed", request.method, request.path, exc_info=error)
    return problem(
        request, 500, "The error is logged; quote the request_id to an operator.", code="internal"
    )


def install(api: NinjaAPI) -> None:
    """Let every error of the API's operations be answered here."""

    def answer(request: HttpRequest, error: Exception | type[Exception]) -> HttpResponse:
        return problem_of(request, error if isinstance(error, Exception) else error())

    classes: list[type[Exception]] = [Exception, HttpError, *(row[0] for row in _BY_CLASS)]
    for cls in classes:
        api.add_exception_handler(cls, answer)
