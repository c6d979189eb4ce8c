"""Pages of the instance itself: the pages of what went wrong, health."""

from __future__ import annotations

import sys

from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import requires_csrf_token
from django.views.decorators.http import require_safe

from orchestrator.problems import TOOK_TOO_LONG, is_api, problem, took_too_long
from orchestrator.schema import pending_migrations


@login_not_required
@never_cache
@require_safe
def health(request: HttpRequest) -> HttpResponse:
    """The process is alive; nothing else is asked."""
    return JsonResponse({"status": "ok"})


@login_not_required
@never_cache
@require_safe
def ready(request: HttpRequest) -> HttpResponse:
    """The database answers and has every migration; otherwise 503 and why, in words."""
    try:
        pending = pending_migrations()
    except DatabaseError:
        return JsonResponse(
            {"status": "not ready", "detail": "The database does not answer."}, status=503
        )
    if pending:
        detail = f"{pending} migrations are pending; run `manage.py migrate`."
        return JsonResponse({"status": "not ready", "detail": detail}, status=503)
    return JsonResponse({"status": "ready"})


@requires_csrf_token
def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """400: it cannot be read."""
    return _wrong(request, 400, "This request cannot be read", str(exception))


@requires_csrf_token
def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """403: it is there, and not for this person."""
    return _wrong(
        request, 403, "You may not do that", str(exception) or "Ask an administrator for the right."
    )


@requires_csrf_token
def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403 for a form that does not carry this session's mark."""
    return _wrong(
        request,
        403,
        "This form has expired",
        "You signed in or out since it was opened. Go back, reload the page and send it again.",
    )


@requires_csrf_token
def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404: it is not there, or not for this person to know."""
    words = exception.args[0] if exception.args and isinstance(exception.args[0], str) else ""
    return _wrong(
        request, 404, "There is no such page", words or "Its address may be old or mistyped."
    )


@requires_csrf_token
def server_error(request: HttpRequest) -> HttpResponse:
    """500: our fault. Reads nothing from the database, which may be what is broken."""
    if took_too_long(sys.exception()):
        return _wrong(request, 503, "This takes too long now", TOOK_TOO_LONG)
    return _wrong(
        request, 500, "Something broke on our side", "It is in the log under the number below."
    )


def _wrong(request: HttpRequest, status: int, title: str, words: str) -> HttpResponse:
    if is_api(request):
        return problem(request, status, words if status < 500 else "")
    context = {
        "status": status,
        "headline": title,
        "words": words,
        "request_id": getattr(request, "request_id", ""),
    }
    return render(request, "wrong.html", context, status=status)
