"""The home page with 10,000 jobs and 50 providers: as many queries as with a few, and fast."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from jobs.models import Attempt, Job
from orchestrator.home import CARDS
from tests.support.builders import (
    look_at_providers,
    make_job,
    make_project,
    make_provider,
    make_user,
)
from tests.support.figures import p95, tell
from tests.support.many_samples import add_many_samples
from tests.support.pages import signed_in, words_of

pytestmark = pytest.mark.django_db

JOBS = 10_000
STATES = ("completed",) * 12 + ("failed", "cancelled", "pending", "running")
WANTED_MS = 50
ADDRESSES = ("/", "/?whose=mine", *(f"/_/home/{card.name}" for card in CARDS))


@pytest.fixture
def ada() -> User:
    return make_user("ada", project=make_project("etl"))


def many(number: int, providers: int, names: int, owner: User) -> None:
    """That many jobs of the last two days, of so many names, in all states."""
    project = make_project("etl")
    project.max_running, project.paused_at = 4, timezone.now()
    project.save()
    nodes = [make_provider(slots=4) for _ in range(providers)]
    patterns = [make_job(project=project, provider=nodes[0], state=state) for state in STATES]
    fields = [f.attname for f in Job._meta.concrete_fields if not f.primary_key]
    now = timezone.now()
    made, attempts = [], []
    for n in range(number):
        values: dict[str, Any] = {name: getattr(patterns[n % 16], name) for name in fields}
        at = now - timedelta(seconds=(number - n) * 172_800 / number)
        state = values["state"]
        values |= {"name": f"load-{n % names}", "created_at": at, "queued_at": at}
        values |= {"submitted_by_id": owner.pk if n % 3 else None}
        if state in ("completed", "failed", "running"):
            values |= {"started_at": at, "provider_id": nodes[n % providers].pk}
        if state in ("completed", "failed", "cancelled"):
            values |= {"finished_at": at + timedelta(seconds=60 + n % 50)}
        if state == "pending":
            values |= {"reason": "too_large", "provider_id": None}
        made.append(Job(**values))
    for job in Job.objects.bulk_create(made, batch_size=1000):
        if job.state == "running" and job.provider_id is not None:
            given = {"cpu_millis": 1000, "memory_mb": 512, "phase": "running"}
            attempts.append(Attempt(job=job, provider_id=job.provider_id, number=1, **given))
    Attempt.objects.bulk_create(attempts)
    add_many_samples(nodes, minutes_apart=5)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def queries(browser: Client) -> dict[str, int]:
    found = {}
    for address in ADDRESSES:
        look_at_providers()
        with CaptureQueriesContext(connection) as captured:
            assert "cannot be shown" not in words_of(browser.get(address))
        found[address] = len(captured)
    return found


def test_check_27_home_costs_no_more_queries_with_ten_thousand_jobs_and_fifty_providers(
    ada: User,
) -> None:
    browser = signed_in(ada)
    many(60, 3, 5, ada)
    browser.get("/")
    few = queries(browser)
    many(JOBS, 47, 45, ada)
    assert queries(browser) == few
    for address in ADDRESSES:
        times, busy = [], time.process_time()
        for _ in range(20):
            begun = time.perf_counter()
            assert browser.get(address).status_code == 200
            times.append((time.perf_counter() - begun) * 1000)
        own = (time.process_time() - busy) * 1000 / len(times)
        figure = f"{address}: p95 {p95(times):.0f} ms (wanted: {WANTED_MS} ms)"
        more = f"of which {own:.0f} ms are ours; {few[address]} queries"
        tell("check 27", f"{JOBS:,} jobs, 50 providers, {figure}, {more}")
        assert p95(times) < 5000
