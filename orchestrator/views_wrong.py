"""The pages of what went wrong: what it is, why, what to do, and the number to quote.

Whoever is signed in sees them inside the frame of every other page. Where it may be the
database that is broken (5xx) nothing is read from it any more.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.shortcuts import render
from django.template.loader import render_to_string
from django.views.decorators.csrf import requires_csrf_token

from orchestrator.context import frame, frame_unread
from orchestrator.problems import (
    DATABASE_DOWN,
    RETRY_SECONDS,
    TOOK_TOO_LONG,
    is_api,
    problem,
    took_too_long,
)
from projects.database_down import is_down
from projects.selectors import instance_settings

_JOB = re.compile(r"/jobs/(\d{1,19})(?:/.*)?\Z")

_AGAIN = "Try again; if it stays, tell an operator the number below."


@dataclass(frozen=True, slots=True)
class Wrong:
    """One page: its heading, why, and what else may be true or done, a sentence each."""

    status: int
    headline: str
    why: str
    advice: tuple[str, ...] = ()


@requires_csrf_token
def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """400: it cannot be read."""
    if isinstance(exception, TooManyFieldsSent | RequestDataTooBig):
        return _answer(request, _too_large(exception))
    why = str(exception) or "Something in its address or its form is not as it should be."
    return _answer(request, Wrong(400, "This request cannot be read", why))


@requires_csrf_token
def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """403: it is there, and not for this person."""
    advice = ("Rights can be given while you wait: reload this page then.",)
    why = str(exception) or "Ask an administrator for the right."
    return _answer(request, Wrong(403, "You may not do that", why, advice))


@requires_csrf_token
def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403 for a form that does not carry this session's mark."""
    why = "You signed in or out since it was opened. Go back, reload the page and send it again."
    advice = (
        "Nothing was changed. A new job that you wrote is still there when you go back and reload,"
        " without the values of secrets; another form may have to be filled in again.",
    )
    return _answer(request, Wrong(403, "This form has expired", why, advice))


@requires_csrf_token
def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404: it is not there, or not for this person to know."""
    told = exception.args[0] if exception.args and isinstance(exception.args[0], str) else ""
    if found := _JOB.fullmatch(request.path):
        return _answer(request, _no_job(int(found[1])))
    why = told or "Its address may be old or mistyped."
    return _answer(request, Wrong(404, "There is no such page", why))


@requires_csrf_token
def server_error(request: HttpRequest) -> HttpResponse:
    """500: our fault; 503 where the database needed too long, or does not answer."""
    error = sys.exception()
    if took_too_long(error):
        return _answer(request, Wrong(503, "This takes too long now", TOOK_TOO_LONG))
    if is_down(error):
        why = DATABASE_DOWN + " Jobs that run go on meanwhile."
        return _answer(request, Wrong(503, "Gantry cannot look that up now", why, (_AGAIN,)))
    why = "It is not because of anything you did. The process that serves pages has logged it."
    return _answer(request, Wrong(500, "Something broke on our side", why, (_AGAIN,)))


def busy(request: HttpRequest) -> HttpResponse:
    """503 for a request that is not let in (admission.py). Nothing is read for it."""
    why = "More is asked of Gantry at this moment than it can answer at once."
    if is_api(request):
        return problem(request, 503, f"{why} Try again in a moment.")
    advice = ["Jobs that run go on meanwhile. Try again in a moment."]
    if request.method not in ("GET", "HEAD"):
        advice = ["Nothing of what you sent was done. Go back and send it again in a moment."]
    wrong = Wrong(503, "Gantry is busy", why, tuple(advice))
    if "text/html" not in request.headers.get("Accept", ""):
        return _words(wrong)
    return _answer(request, wrong)


def _too_large(exception: Exception) -> Wrong:
    """A form beyond what is read of one, which is far more than any may hold."""
    fields, size = settings.DATA_UPLOAD_MAX_NUMBER_FIELDS, settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    why = (
        f"A form may have at most {fields:,} fields, and this one has more."
        if isinstance(exception, TooManyFieldsSent)
        else f"A form may hold at most {size // 2**20} MiB, and this one holds more."
    )
    advice = (
        "Nothing was changed. When you go back, your browser may have kept only part of what you"
        " typed: look it through before you send it again.",
    )
    return Wrong(400, "This form is too large", why, advice)


def _no_job(number: int) -> Wrong:
    days = instance_settings().job_retention_days
    return Wrong(
        404,
        f"There is no job {number} here",
        "Nothing of that number is there for you to see.",
        (
            f"It may have been deleted: a job is kept for {days} days after its end.",
            "It may belong to a project that you are no member of: ask one of its admins.",
            "Its number may be mistyped.",
        ),
    )


def _answer(request: HttpRequest, wrong: Wrong) -> HttpResponse:
    why = wrong.why
    if is_api(request):
        return problem(request, wrong.status, why if wrong.status < 500 else "")
    number = str(getattr(request, "request_id", ""))
    if request.path.startswith("/_/"):  # a part of a page, which says itself what is missing
        return _words(wrong)
    again = request.get_full_path() if request.method in ("GET", "HEAD") else ""
    context: dict[str, Any] = {"wrong": wrong, "request_id": number, "again": again}
    if wrong.status < 500:
        return render(request, "wrong.html", frame(request) | context, status=wrong.status)
    context |= frame_unread(request) | {"csrf_token": get_token(request)}
    page = HttpResponse(render_to_string("wrong.html", context), status=wrong.status)
    return _later(page)


def _words(wrong: Wrong) -> HttpResponse:
    """The same for who shows no page."""
    words = f"{wrong.headline}. {wrong.why}\n"
    kind = "text/plain; charset=utf-8"
    return _later(HttpResponse(words, status=wrong.status, content_type=kind))


def _later(response: HttpResponse) -> HttpResponse:
    """With the time after which it may be asked for again, where it may."""
    if response.status_code == 503:
        response["Retry-After"] = str(RETRY_SECONDS)
        response["Cache-Control"] = "no-store"
    return response
