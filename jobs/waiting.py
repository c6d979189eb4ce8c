"""Waiting for a job over the API: until it changes, or until it has ended.

While it waits a request is no more than a bell in the hub: no thread, no database
connection, no place among the requests at work. A poll finds what the bell did not tell.
"""

from __future__ import annotations

import asyncio

from jobs.models import Job
from jobs.states import TERMINAL
from projects.hub import hub
from projects.offload import in_database

MOST_SECONDS = 60
POLL_SECONDS = 1.0
"""The guarantee, should the bell not ring."""


def is_news(state: str, rev: int, known_rev: int | None) -> bool:
    """Whether a waiter is to be told: the job has ended, or changed since `known_rev`.

    None waits for the end alone.
    """
    return state in TERMINAL or (known_rev is not None and rev > known_rev)


async def wait_for_news(job_id: int, known_rev: int | None, seconds: float) -> None:
    """Return at news of the job, when it is no longer there, or after that time."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    bell = hub.watch_job(job_id)
    try:
        while not await in_database(_told, job_id, known_rev):
            left = until - loop.time()
            if left <= 0:
                return
            await bell.wait(min(left, POLL_SECONDS))
    finally:
        hub.unwatch_job(job_id, bell)


def _told(job_id: int, known_rev: int | None) -> bool:
    row = Job.objects.filter(pk=job_id).values_list("state", "rev").first()
    return row is None or is_news(*row, known_rev)
