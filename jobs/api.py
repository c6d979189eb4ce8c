"""The API's jobs: each operation reads the request, calls one service or selector, replies.

Bodies are checked by the services (`jobs/spec.py`), not by the framework, so that every
way in refuses the same things in the same words; the schemas named here are for the
OpenAPI document, and a test compares answers with them.
"""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from ninja import Router

from jobs import acts, api_logs, presenters, schemas, services
from jobs.batch_submit import jobs_submit
from jobs.filters import NAMES, read_filter
from jobs.models import Job
from jobs.selectors import attempt_of, attempts_of, events_of, job_get, job_page
from jobs.sorts import must_fit, read_sort
from jobs.stat_pages import drawn_together
from jobs.stat_store import readings_of
from jobs.states import TERMINAL
from jobs.waiting import MOST_SECONDS, is_news, read_known, wait_for_news
from projects.cursors import Page, make_cursor, read_cursor
from projects.errors import NotFound
from projects.http import (
    Unhurried,
    in_a_hurry,
    json_body,
    json_reply,
    only_parameters,
    page_reply,
    read_limit,
    read_number,
    request_actor,
    unchanged,
)

router = Router(tags=["Jobs"])
MOST_POINTS = 5000
_MAX_REV = 2**31 - 1


@router.post("/jobs", response={201: schemas.JobDetailOut, 200: schemas.JobDetailOut})
def job_submit(request: HttpRequest) -> HttpResponse:
    """Submit a job. With an `Idempotency-Key` header a repeated request makes no second
    one: the first job is answered with 200 and `Idempotency-Replayed: true`."""
    job, created = services.job_submit(
        request_actor(request), data=json_body(request), idempotency_key=_key(request)
    )
    return _made(request, job, created=created)


@router.post("/jobs/bulk", response={201: schemas.JobNumbers, 200: schemas.JobNumbers})
def job_submit_many(request: HttpRequest) -> HttpResponse:
    """Submit up to 1,000 jobs, all or none; their numbers stand in the order of the request.

    With an `Idempotency-Key` header a repeated request makes no second ones: the first ones are
    answered with 200 and `Idempotency-Replayed: true`."""
    made, created = jobs_submit(
        request_actor(request),
        data=json_body(request, most_bytes=settings.DATA_UPLOAD_MAX_MEMORY_SIZE),
        idempotency_key=_key(request),
    )
    response = json_reply({"ids": made}, 201 if created else 200)
    if not created:
        response["Idempotency-Replayed"] = "true"
    return response


@router.get("/jobs", response=schemas.JobList)
def job_list(request: HttpRequest) -> HttpResponse:
    """Jobs you may see, narrowed by the query, newest first or in the order of `sort`.

    A search that would have to go through very many jobs is answered in time with what it found
    until then: `searched_to` says how far it came, and `next_cursor` goes on from there."""
    only_parameters(request.GET, (*NAMES, "sort", "limit", "cursor"))
    wanted = read_filter(request.GET)
    page = job_page(
        request_actor(request),
        wanted,
        sort=must_fit(read_sort(request.GET.getlist("sort")), wanted),
        limit=read_limit(request.GET),
        cursor=request.GET.get("cursor"),
    )
    return page_reply(request, page, presenters.job_values, searched_to=page.searched_to)


@router.get("/jobs/{int:job_id}", response=schemas.JobDetailOut)
def job_detail(request: HttpRequest, job_id: int) -> HttpResponse:
    """One job. Its ETag changes with `rev`, and with why it waits; with If-None-Match an
    unchanged job is 304.

    With `wait` the answer comes when the job has ended, with `rev` too as soon as its
    revision is greater or, where that is an earlier answer's `told_rev`, it waits for another
    reason; and with what there is when the time is over."""
    query = request.GET
    only_parameters(query, ("wait", "rev"))
    seconds = read_number(query, "wait", default=0, least=0, most=MOST_SECONDS)
    known = read_known(query)
    job = job_get(request_actor(request), job_id)
    now = unchanged(request, _etag(job)) or _job(job)
    told = presenters.told_rev(job)
    if not seconds or in_a_hurry(request) or is_news(job.state in TERMINAL, told, known):
        return now
    return Unhurried(now, lambda: wait_for_news(job_id, known, seconds))


@router.post("/jobs/{int:job_id}/execute", response=schemas.JobDetailOut)
def job_execute(request: HttpRequest, job_id: int) -> HttpResponse:
    """Release a held job, so that it may run; the same as release."""
    return _job(acts.job_release(request_actor(request), job_id=job_id))


@router.post("/jobs/{int:job_id}/hold", response=schemas.JobDetailOut)
def job_hold(request: HttpRequest, job_id: int) -> HttpResponse:
    """Keep a job that waits from being placed, until it is released. The body, if any, has a
    note that is shown with it. 409 once it is placed."""
    data = json_body(request, optional=True)
    data = {} if data is None else data
    return _job(acts.job_hold(request_actor(request), job_id=job_id, data=data))


@router.post("/jobs/{int:job_id}/release", response=schemas.JobDetailOut)
def job_release(request: HttpRequest, job_id: int) -> HttpResponse:
    """Let a held job run: its wait begins now. 409 when it is not held."""
    return _job(acts.job_release(request_actor(request), job_id=job_id))


@router.post("/jobs/{int:job_id}/reprioritise", response=schemas.JobDetailOut)
def job_reprioritise(request: HttpRequest, job_id: int) -> HttpResponse:
    """Give a job that waits another priority; `spec` keeps the one it was submitted with. 409
    once it is placed."""
    data = json_body(request)
    return _job(acts.job_reprioritise(request_actor(request), job_id=job_id, data=data))


@router.post("/jobs/{int:job_id}/move", response=schemas.JobDetailOut)
def job_move(request: HttpRequest, job_id: int) -> HttpResponse:
    """Let a job that waits run on this provider only, or, with null, on any that fits. 422 for a
    provider that it can never run on; 409 once it is placed: cancel it and run it again there."""
    return _job(acts.job_move(request_actor(request), job_id=job_id, data=json_body(request)))


@router.post(
    "/jobs/{int:job_id}/cancel", response={200: schemas.JobDetailOut, 202: schemas.JobDetailOut}
)
def job_cancel(request: HttpRequest, job_id: int) -> HttpResponse:
    """Cancel a job: 200 when it has ended with that, 202 while its program is being stopped."""
    job = services.job_cancel(request_actor(request), job_id=job_id)
    return _job(job, 200 if job.state in TERMINAL else 202)


@router.post("/jobs/{int:job_id}/force-finish", response=schemas.JobDetailOut)
def job_force_finish(request: HttpRequest, job_id: int) -> HttpResponse:
    """End an attempt whose provider does not answer; its program may still run there, and is
    removed when the provider answers again. 409 while it can be seen: cancel it instead."""
    return _job(services.job_force_finish(request_actor(request), job_id=job_id))


@router.post(
    "/jobs/{int:job_id}/rerun", response={201: schemas.JobDetailOut, 200: schemas.JobDetailOut}
)
def job_rerun(request: HttpRequest, job_id: int) -> HttpResponse:
    """Submit it again as a new job. The body, if any, has the fields of the spec to change."""
    job, created = services.job_rerun(
        request_actor(request),
        job_id=job_id,
        changes=json_body(request, optional=True),
        idempotency_key=_key(request),
    )
    return _made(request, job, created=created)


@router.get("/jobs/{int:job_id}/attempts", response=schemas.AttemptList)
def job_attempts(request: HttpRequest, job_id: int) -> HttpResponse:
    """Every try of a job, first to last."""
    job = job_get(request_actor(request), job_id)
    return page_reply(request, Page(attempts_of(job)), presenters.attempt_values)


@router.get("/jobs/{int:job_id}/events", response=schemas.EventList, by_alias=True)
def job_events(request: HttpRequest, job_id: int) -> HttpResponse:
    """What happened to a job, oldest first."""
    only_parameters(request.GET, ("limit", "cursor"))
    job = job_get(request_actor(request), job_id)
    limit, cursor = read_limit(request.GET), request.GET.get("cursor")
    bound = {"events-of": [str(job_id)]}
    after = read_cursor(cursor, bound) if cursor else 0
    found = events_of(job, after=after, limit=limit + 1)
    items = found[:limit]
    more = make_cursor(items[-1].pk, bound) if len(found) > limit else None
    return page_reply(request, Page(items, more), presenters.event_values)


@router.get("/jobs/{int:job_id}/stats", response=schemas.StatList)
def job_stats(request: HttpRequest, job_id: int) -> HttpResponse:
    """CPU and memory of one attempt over its time: a reading each 5 s in its first hour, fewer
    later, and none of programs that are over within a second or two.

    Where there are more than `points`, neighbours are drawn together."""
    query = request.GET
    only_parameters(query, ("attempt", "points"))
    job = job_get(request_actor(request), job_id)
    number = read_number(query, "attempt", default=0, least=1, most=_MAX_REV) or None
    points = read_number(query, "points", default=500, least=1, most=MOST_POINTS)
    attempt = attempt_of(job, number)
    if attempt is None:
        if number is not None:
            raise NotFound(f"Job {job_id} has no attempt {number}.")
        return json_reply(presenters.NO_STATS)
    readings = drawn_together(readings_of(attempt.pk), points)
    return json_reply(presenters.stats_values(attempt, readings))


@router.get("/jobs/{int:job_id}/logs")
def job_logs(request: HttpRequest, job_id: int) -> HttpResponseBase:
    """The output, byte for byte as text/plain, or line by line as application/x-ndjson.

    `follow=1` keeps the answer open until the job has ended and its log is drained."""
    return api_logs.job_log(request, job_id)


def _key(request: HttpRequest) -> str | None:
    return request.headers.get("Idempotency-Key")


def _etag(job: Job) -> str:
    return f'"job-{job.pk}-{presenters.told_rev(job)}"'


def _job(job: Job, status: int = 200) -> HttpResponse:
    return json_reply(presenters.job_detail_values(job), status, ETag=_etag(job))


def _made(request: HttpRequest, job: Job, *, created: bool) -> HttpResponse:
    response = _job(job, 201 if created else 200)
    response["Location"] = f"/api/v1/jobs/{job.pk}"
    if not created:
        response["Idempotency-Replayed"] = "true"
    return response
