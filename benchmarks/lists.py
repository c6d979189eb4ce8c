"""`python -m benchmarks.lists`: how long lists take among very many jobs.

A Gantry of its own is filled with jobs that are as unlike as can be (tests/support/skewed_jobs.py),
and asked for every filter and order that its tests look at the plans of, over loopback to the
whole answer; then for the deepest page of the whole list, for Home, the queue, and all counts.
The engine stands still meanwhile.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import replace
from statistics import median
from urllib.parse import urlencode

import django
import psycopg
from psycopg.conninfo import make_conninfo

from benchmarks.pages import engine_stands_still, time_page
from benchmarks.sockets import open_page
from orchestrator.local.postgres import SUPERUSER
from tests.support.running import RunningGantry, running_gantry

MOST_MS, MOST_RATIO = 50.0, 1.5
CARDS = ("attention", "day", "running", "capacity", "mine")


def main() -> int:
    """0 when all goals are met."""
    asked = _arguments()
    with running_gantry() as gantry:
        gantry.start()
        os.environ.update(gantry.environment, DJANGO_SETTINGS_MODULE="orchestrator.settings")
        django.setup()
        from django.conf import settings
        from django.contrib.auth.models import User
        from django.db import connection, transaction
        from django.test.utils import setup_test_environment

        from tests.support.sessions import sign_in
        from tests.support.skewed_jobs import ORDERS, add_skewed_jobs

        setup_test_environment()
        admin = User.objects.get(username="admin")
        with engine_stands_still(gantry):
            begun = time.monotonic()
            with transaction.atomic():
                add_skewed_jobs(asked.jobs, admin)
            with connection.cursor() as cursor:
                cursor.execute("VACUUM ANALYZE jobs_job")
            _write_to_disk(gantry)
            print(f"{asked.jobs:,} jobs, filled in {time.monotonic() - begun:.0f} s", flush=True)
            headers = {"Cookie": f"{settings.SESSION_COOKIE_NAME}={sign_in(admin)}"}
            lists = [
                f"/api/v1/jobs?{urlencode({'q': words, 'sort': order})}"
                for order, all_words in ORDERS.items()
                for words in ["", *all_words]
                if words or order in ("newest", "oldest")
            ]
            others = [
                "/",
                "/jobs",
                "/_/jobs/counts",
                "/queue",
                *(f"/_/home/{card}" for card in CARDS),
            ]
            times = [time_page(gantry.port, path, headers) for path in [*lists, *others]]
            with open_page(gantry, headers["Cookie"], "jobs"):
                again = time_page(gantry.port, "/", headers)
            times.append(
                replace(again, path="/ again and again, while a page is open and nothing changes")
            )
            ratios = [_deepest(gantry.port, order, headers) for order in ("newest", "oldest")]
    slowest = sorted(times, key=lambda one: -one.p95)
    print("ms p50, ms p95")
    for one in slowest[: asked.show]:
        print(f"  {one.p50:6.1f} {one.p95:6.1f}  {one.path}")
    print(f"  of {len(times)}: median {median(one.p50 for one in times):.1f} ms, slowest p95"
          f" {slowest[0].p95:.1f} ms (at most {MOST_MS:g})")  # fmt: skip
    print(f"  deepest page ÷ first: {max(ratios):.2f} (at most {MOST_RATIO})")
    return int(slowest[0].p95 > MOST_MS or max(ratios) > MOST_RATIO)


def _write_to_disk(gantry: RunningGantry) -> None:
    """What filled it is written to disk now, and not while lists are timed."""
    password = (gantry.data_dir / "postgres_superuser_password").read_text().strip()
    address = make_conninfo(gantry.database_url, user=SUPERUSER, password=password)
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("CHECKPOINT")


def _deepest(port: int, order: str, headers: dict[str, str]) -> float:
    """How much longer the last page of the whole list takes than its first."""
    from django.http import QueryDict

    from jobs.filters import read_filter
    from jobs.models import Job
    from jobs.sorts import Sort
    from projects.cursors import make_cursor

    sort = Sort(order)
    edge = Job.objects.order_by("-pk" if sort.upward else "pk").values_list("pk", flat=True)[60]
    query = read_filter(QueryDict()).as_query() | sort.as_query()
    words = {"sort": order, "cursor": make_cursor(edge, query)}
    deep = time_page(port, f"/api/v1/jobs?{urlencode(words)}", headers)
    first = time_page(port, f"/api/v1/jobs?{urlencode({'sort': order})}", headers)
    return deep.p50 / first.p50


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lists", description=__doc__)
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--show", type=int, default=12, help="the slowest that are printed")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
