"""Waiting for a job over the API: until it changes, or until it has ended.

While it waits a request is no more than a bell in the hub: no thread, no database
connection, no place among the requests at work. A poll finds what the bell did not tell, and
that the job waits for another reason: that is told to its class, of which no bell rings.
"""

from __future__ import annotations

import asyncio
import re

from django.http import QueryDict

from jobs.models import Job
from jobs.presenters import told_rev
from jobs.states import TERMINAL
from projects.errors import FieldProblem, Invalid
from projects.hub import hub
from projects.offload import in_database
from projects.prepared import PreparedQuery

MOST_SECONDS = 60
POLL_SECONDS = 1.0
"""The guarantee, should the bell not ring."""
_STATES = PreparedQuery(
    lambda ids: (
        Job.objects.select_related("queue_class")
        .only("state", "held", "not_before", "rev", "queue_class__rev")
        .filter(pk__any=ids)
    )
)
_KNOWN = re.compile(r"[0-9]{1,18}(-[0-9]{1,18}-[0-9]{1,18})?")


def read_known(query: QueryDict) -> str | None:
    """What a waiter knows already, from `rev`: a job's `rev` or its `told_rev`; None where it
    waits for the end alone. Raises Invalid."""
    text = query.get("rev")
    if text is None or _KNOWN.fullmatch(text):
        return text
    raise Invalid([FieldProblem("/rev", "Use the rev or the told_rev of an earlier answer.")])


def is_news(ended: bool, told: str, known: str | None) -> bool:
    """Whether a waiter is to be told: the job has ended, its revision is greater than the
    known one or, where a `told_rev` is known, it is told to wait for another reason.

    None waits for the end alone.
    """
    if ended or known is None:
        return ended
    rev, was = int(_rev(told)), int(_rev(known))
    return rev > was or (rev == was and _rev(known) != known and told != known)


async def wait_for_news(job_id: int, known: str | None, seconds: float) -> None:
    """Return at news of the job, when it is no longer there, or after that time."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    bell = hub.watch_job(job_id)
    look = True
    try:
        while not (look and await in_database(_has_news, job_id, known)):
            left = until - loop.time()
            if left <= 0:
                return
            heard = await bell.wait(min(left, POLL_SECONDS))
            if heard is not None and heard["t"] == "job":
                look = False  # the signal says enough
                if is_news("ended" in heard, str(heard["rev"]), known and _rev(known)):
                    return
            else:
                look = True
    finally:
        hub.unwatch_job(job_id, bell)


def _has_news(job_id: int, known: str | None) -> bool:
    for job in _STATES.fetch([job_id]):
        return is_news(job.state in TERMINAL, told_rev(job), known)
    return True


def _rev(known: str) -> str:
    """The job's own revision in what is known of it."""
    return known.partition("-")[0]
