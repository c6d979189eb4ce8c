"""GET /jobs/{id}/logs: reads the question, answers with jobs/log/replies.py."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, Protocol, cast

from django.db import close_old_connections
from django.http import HttpRequest, HttpResponse, QueryDict, StreamingHttpResponse
from django.http.response import HttpResponseBase

from jobs.log.follow import read_after
from jobs.log.replies import (
    Following,
    LogFormat,
    all_attempts,
    gzipped,
    last_lines,
    whole_log,
)
from jobs.models import Job
from jobs.selectors import attempt_of, attempts_of, job_get
from projects.actor import Actor
from projects.errors import FieldProblem, Invalid, NotFound
from projects.http import only_parameters, read_choice, read_flag, read_number, request_actor
from providers.driver import Stream

PARAMETERS = ("attempt", "stream", "tail", "after", "timestamps", "follow", "format", "gzip")
MOST_TAIL = 10_000
_MAX = 2**31 - 1


class _Asked(Protocol):
    """A request with what the API's authentication left on it."""

    def reauthenticate(self) -> Actor | None: ...


def job_log(request: HttpRequest, job_id: int) -> HttpResponseBase:
    """The log of one attempt, or (follow=1) of this and the next ones as they come, or
    (attempt=all) of all that there were."""
    actor, query = request_actor(request), request.GET
    only_parameters(query, PARAMETERS)
    job = job_get(actor, job_id)
    form = _format(request, query)
    packed = read_flag(query, "gzip")
    if query.get("attempt") == "all":
        _refuse(query, ("tail", "after", "follow"), "All attempts come whole; leave it out.")
        attempts = [(attempt.number, attempt.pk) for attempt in attempts_of(job)]
        return _sent(all_attempts(attempts, form), form, packed=packed)
    if packed:
        _refuse(query, ("tail", "follow"), "A compressed log comes whole; leave it out.")
    number = read_number(query, "attempt", default=0, least=1, most=_MAX) or None
    after = read_number(query, "after", default=0, least=0, most=_MAX)
    tail = read_number(query, "tail", default=-1, least=0, most=MOST_TAIL)
    follow = read_flag(query, "follow")
    attempt = attempt_of(job, number)
    if attempt is None and number is not None:
        raise NotFound(f"Job {job_id} has no attempt {number}.")
    reply: HttpResponseBase
    if attempt is None:
        reply = _follow(request, job, form, None) if follow else _now(form, [])
    elif tail >= 0:
        lines, seq = last_lines(attempt.pk, tail, form)
        seq = seq or attempt.log_seq
        if follow:
            reply = _follow(request, job, form, number, before=lines, after=max(seq, after))
        else:
            reply = _now(form, [line for line in lines if _seq(line) > after])
    elif follow:
        reply = _follow(request, job, form, number, after=after)
    else:
        first = read_after(attempt.pk, after)
        if first.seq >= first.last_seq and not packed:
            reply = _now(form, first.items)
        else:
            chunks = whole_log(attempt.pk, first, first.last_seq, form)
            return _sent(chunks, form, packed=packed)
    return _marked(reply)


def _sent(chunks: AsyncIterator[bytes], form: LogFormat, *, packed: bool) -> HttpResponseBase:
    """An answer that is read while it is sent."""
    if packed:
        return _marked(StreamingHttpResponse(gzipped(chunks), content_type="application/gzip"))
    return _marked(StreamingHttpResponse(chunks, content_type=form.content_type))


def _marked(reply: HttpResponseBase) -> HttpResponseBase:
    if reply.streaming:
        # Django gives the request's connection back when the answer has ended; this one may
        # take hours, and reads through connections of its own.
        close_old_connections()
    reply["Cache-Control"] = "private, no-cache"
    reply["X-Accel-Buffering"] = "no"
    return reply


def _refuse(query: QueryDict, names: Sequence[str], words: str) -> None:
    if given := [name for name in names if name in query]:
        raise Invalid([FieldProblem(f"/{name}", words) for name in given])


def _seq(item: Any) -> int:
    return int(item.last_seq if hasattr(item, "last_seq") else item.seq)


def _format(request: HttpRequest, query: QueryDict) -> LogFormat:
    """`format=` decides; without it the Accept header."""
    name = read_choice(query, "format", ("text", "ndjson"))
    if name is None:
        preferred = request.get_preferred_type(["text/plain", "application/x-ndjson"])
        name = "ndjson" if preferred == "application/x-ndjson" else "text"
    stream = read_choice(query, "stream", [stream.value for stream in Stream])
    return LogFormat(
        ndjson=name == "ndjson",
        stream=Stream(stream) if stream else None,
        timestamps=read_flag(query, "timestamps"),
    )


def _now(form: LogFormat, items: Any) -> HttpResponse:
    return HttpResponse(form.write(items), content_type=form.content_type)


def _follow(
    request: HttpRequest,
    job: Job,
    form: LogFormat,
    number: int | None,
    *,
    before: Any = (),
    after: int = 0,
) -> HttpResponseBase:
    """An answer that grows until the job has ended and its log is drained."""
    asked = cast(_Asked, request)

    def allowed() -> bool:
        actor = asked.reauthenticate()
        try:
            return actor is not None and bool(job_get(actor, job.pk))
        except NotFound:
            return False

    reader = Following(
        job_id=job.pk,
        form=form,
        allowed=allowed,
        only_attempt=number,
        before=before,
        after_seq=after,
    )
    return StreamingHttpResponse(reader.chunks(), content_type=form.content_type)
