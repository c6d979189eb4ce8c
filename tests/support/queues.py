"""Jobs that wait, and what the page of the queue shows of them."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from django.test import Client
from django.utils import timezone

from jobs.models import Job
from projects.models import Project
from tests.support.builders import make_job

HOUR = timedelta(hours=1)
KINDS = ("queued", "queued", "held", "backing off", "due again")


def make_waiting(project: Project, priority: int, kind: str, **columns: Any) -> Job:
    later = {"backing off": HOUR, "due again": -HOUR}.get(kind)
    return make_job(
        project=project,
        priority=priority,
        held=kind == "held",
        reason="backoff" if later else "held" if kind == "held" else "queued",
        not_before=timezone.now() + later if later else None,
        **columns,
    )


def listed(browser: Client, query: str = "") -> list[int]:
    """The jobs of a list, over all its pages."""
    found: list[int] = []
    address = f"/queue?{query}"
    while address:
        page = browser.get(address).content.decode()
        found += map(int, re.findall(r'<tr id="waiting-(\d+)"', page))
        following = re.search(r'rel="next"\s+href="([^"]+)"', page)
        address = following[1].replace("&amp;", "&") if following else ""
    return found


def places(browser: Client, query: str = "") -> dict[int, int]:
    """The numbers that the jobs of a page have in the queue."""
    page = browser.get(f"/queue?{query}").content.decode()
    rows = re.findall(r'<tr id="waiting-(\d+)".*?</tr>', page, re.S)
    cells = re.findall(r'<tr id="waiting-(\d+)"[^>]*>\s*<td[^>]*><span class="place">(\d+)', page)
    assert len(rows) >= len(cells)
    return {int(job): int(number) for job, number in cells}
