"""How long the server takes for each page of a large instance.

The pages are those of the URLconf (tests/support/every_page.py), asked over one connection,
one after the other. The engine process and housekeeping stand still meanwhile: the rows are
put into the tables, and an engine would run them.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from statistics import quantiles

import django

from tests.support.running import RunningGantry

MOST_MS = 100.0
WARM, TIMED = 2, 20


@dataclass(frozen=True, slots=True)
class PageTime:
    """One page or region: ms from the request to its whole answer, and its size."""

    path: str
    p50: float
    p95: float
    kib: float


@dataclass(frozen=True, slots=True)
class Pages:
    """All of them, the slowest first, and what there was to show."""

    jobs: int
    providers: int
    times: Sequence[PageTime]


def time_pages(gantry: RunningGantry) -> Pages:
    """Fill the instance and time every page."""
    os.environ.update(gantry.environment, DJANGO_SETTINGS_MODULE="orchestrator.settings")
    django.setup()
    from django.conf import settings
    from django.test.utils import setup_test_environment

    from tests.support.every_page import every_page
    from tests.support.filled import fill
    from tests.support.many_rows import JOBS, PROVIDERS, many_rows
    from tests.support.sessions import sign_in

    setup_test_environment()
    with engine_stands_still(gantry):
        filled = fill(4)
        many_rows(filled)
        cookies = {
            who: f"{settings.SESSION_COOKIE_NAME}={sign_in(who)}"
            for who in (filled.user, filled.viewer)
        }
        times = []
        for page in every_page(filled):
            who = filled.viewer if page.as_viewer else filled.user
            headers = {"Cookie": cookies[who]} if page.signed_in else {}
            times.append(time_page(gantry.port, page.path, headers))
    return Pages(JOBS, PROVIDERS, sorted(times, key=lambda one: -one.p95))


def time_page(port: int, path: str, headers: dict[str, str]) -> PageTime:
    """Ask for one page again and again, over one connection."""
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    took, size = [], 0
    for number in range(WARM + TIMED):
        begun = time.perf_counter()
        connection.request("GET", path, headers=headers)
        body = connection.getresponse().read()
        if number >= WARM:
            took.append(1000 * (time.perf_counter() - begun))
            size = len(body)
    connection.close()
    cuts = quantiles(took, n=20, method="inclusive")
    return PageTime(path, cuts[9], cuts[18], size / 1024)


@contextmanager
def engine_stands_still(gantry: RunningGantry) -> Iterator[None]:
    """Neither jobs nor housekeeping go on meanwhile."""
    held = [gantry.pid_of(name) for name in ("orchestrate", "qcluster")]
    for pid in held:
        os.killpg(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in held:
            os.killpg(pid, signal.SIGCONT)
