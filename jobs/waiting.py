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


def is_news(ended: bool, rev: int, known_rev: int | None) -> bool:
    """Whether a waiter is to be told: the job has ended, or changed since `known_rev`.

    None waits for the end alone.
    """
    return ended or (known_rev is not None and rev > known_rev)


async def wait_for_news(job_id: int, known_rev: int | None, seconds: float) -> None:
    """Return at news of the job, when it is no longer there, or after that time."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    bell = hub.watch_job(job_id)
    look = True
    try:
        while not (look and await in_database(_told, job_id, known_rev)):
            left = until - loop.time()
            if left <= 0:
                return
            heard = await bell.wait(min(left, POLL_SECONDS))
            if heard is not None and heard["t"] == "job":
                look = False  # the signal says enough
                if is_news("ended" in heard, heard["rev"], known_rev):
                    return
            else:
                look = True
    finally:
        hub.unwatch_job(job_id, bell)


def _told(job_id: int, known_rev: int | None) -> bool:
    row = Job.objects.filter(pk=job_id).values_list("state", "rev").first()
    return row is None or is_news(row[0] in TERMINAL, row[1], known_rev)
