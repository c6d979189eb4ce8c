"""What the log viewer fetches over HTTP: stretches of a log, and where a pattern is in it."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from jobs.log.levels import ERROR
from jobs.log.pattern import BadPattern, LogPattern, typed_pattern
from jobs.log.range import read_range
from jobs.log.search import Question
from jobs.log.search import search as search_log
from jobs.models import Attempt
from jobs.selectors import attempt_of, job_get
from projects.errors import BadRequest, NotFound
from projects.pages import page_actor, refusals
from providers.driver import Stream

CONTEXT_LINES = 3
_ERRORS = LogPattern(f"/{ERROR}/", match_case=True)


@require_safe
@refusals
def batch(request: HttpRequest, job_id: int, number: int) -> HttpResponse:
    """The rows after a seq or from a line on, as the socket would send them; ask again
    from the `seq` told."""
    attempt = _attempt(request, job_id, number)
    after, line = _number(request, "after"), _number(request, "from")
    return _reply(read_range(attempt.pk, after_seq=after, from_line=line))


@require_safe
@refusals
def search(request: HttpRequest, job_id: int, number: int) -> HttpResponse:
    """The lines in which `q` is, from a line on; of what is no pattern, its `problem`.
    `errors=1` asks for the lines that tell of an error instead."""
    attempt = _attempt(request, job_id, number)
    given = request.GET
    try:
        pattern = (
            _ERRORS
            if given.get("errors") == "1"
            else typed_pattern(given.get("q", ""), match_case=given.get("case") == "1")
        )
    except BadPattern as problem:
        return _reply({"problem": str(problem)})
    stream = given.get("stream", "")
    asked = Question(
        pattern,
        from_line=max(_number(request, "from"), 1),
        stream=Stream(stream) if stream in set(Stream) else None,
        context=CONTEXT_LINES if given.get("context") == "1" else 0,
    )
    return _reply(search_log(attempt.pk, asked).value())


def _attempt(request: HttpRequest, job_id: int, number: int) -> Attempt:
    attempt = attempt_of(job_get(page_actor(request), job_id), number)
    if attempt is None:
        raise NotFound(f"Job {job_id} has no attempt {number}.")
    return attempt


def _number(request: HttpRequest, name: str) -> int:
    text = request.GET.get(name, "0")
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise BadRequest(f"{name} is a number, from 0.")
    return int(text)


def _reply(value: dict[str, Any]) -> HttpResponse:
    response = JsonResponse(value)
    response["Cache-Control"] = "no-store"
    return response
