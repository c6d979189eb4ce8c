"""The log viewer's way in when there is no websocket: one batch of lines over HTTP."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from jobs.log_range import read_range
from jobs.selectors import attempt_of, job_get
from projects.errors import BadRequest, NotFound
from projects.pages import page_actor, refusals

_NO_END = 2**63 - 1


@require_safe
@refusals
def batch(request: HttpRequest, job_id: int, number: int) -> HttpResponse:
    """The rows after a seq, as the socket would send them; ask again from the `seq` told."""
    attempt = attempt_of(job_get(page_actor(request), job_id), number)
    if attempt is None:
        raise NotFound(f"Job {job_id} has no attempt {number}.")
    after = request.GET.get("after", "0")
    if not (after.isascii() and after.isdigit() and len(after) < 19):
        raise BadRequest("after is the number of a chunk, from 0.")
    found = read_range(attempt.pk, after_seq=int(after), until_seq=_NO_END)
    response = JsonResponse(found)
    response["Cache-Control"] = "no-store"
    return response
