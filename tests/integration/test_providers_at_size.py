"""Acceptance check 27, as far as it concerns providers: 50 of them, 10,000 jobs that wait."""

from __future__ import annotations

import time

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from jobs.models import Attempt, Job, StatPage
from jobs.stat_pages import Reading, pack, page_of
from providers.models import Provider
from tests.support.builders import look_at_providers, make_job, make_provider, make_user
from tests.support.figures import p95, tell
from tests.support.many_samples import add_many_samples
from tests.support.pages import signed_in

pytestmark = pytest.mark.django_db

PROVIDERS, RUNNING, WAITING = 50, 500, 10_000


@pytest.fixture
def browser() -> Client:
    return signed_in(make_user("olga", superuser=True))


def grow(providers: int, running: int, waiting: int) -> None:
    """So many more, each provider with a day of samples and each running attempt measured."""
    now = timezone.now()
    made = [make_provider(slots=40, labels={"zone": "a"}) for _ in range(providers)]
    add_many_samples(made, minutes_apart=1)
    pattern = make_job(state="running", provider=made[0])
    jobs = _copies(pattern, running, made)
    attempts = Attempt.objects.bulk_create(
        Attempt(
            job=job, number=1, provider=made[n % providers], cpu_millis=500, memory_mb=512,
            phase="running",
        )
        for n, job in enumerate(jobs)
    )  # fmt: skip
    body = pack(Reading(now, 300, 2**28)) * 100
    StatPage.objects.bulk_create(
        StatPage(attempt=attempt, page=page_of(now), body=body) for attempt in attempts
    )
    _copies(make_job(), waiting, [None])
    with connection.cursor() as cursor:
        for table in ("jobs_job", "jobs_attempt", "jobs_statpage", "providers_healthsample"):
            cursor.execute(f"ANALYZE {table}")


def _copies(pattern: Job, number: int, providers: list[Provider] | list[None]) -> list[Job]:
    fields = [f.attname for f in Job._meta.concrete_fields if not f.primary_key]
    values = {name: getattr(pattern, name) for name in fields}
    made = []
    for n in range(number):
        at = providers[n % len(providers)]
        own = {"memory_mb": 512 + n % 37, "provider_id": at.pk if at else None}
        made.append(Job(**values | own))
    return Job.objects.bulk_create(made, batch_size=1000)


def test_check_27_fifty_providers_cost_no_more_queries_than_two(browser: Client) -> None:
    first = make_provider("first")
    pages = {
        "the list": "/providers",
        "the list, narrowed and ordered": "/providers?show=taking&sort=cpu&q=zone",
        "one provider": f"/providers/{first.pk}",
        "a drain's consequences": f"/providers/{first.pk}/mode?to=draining",
    }

    def queries() -> dict[str, int]:
        found = {}
        for name, url in pages.items():
            look_at_providers()
            with CaptureQueriesContext(connection) as captured:
                assert browser.get(url).status_code == 200
            found[name] = len(captured)
        return found

    grow(1, 2, 2)
    browser.get("/providers")
    few = queries()
    grow(PROVIDERS, RUNNING, WAITING)
    assert queries() == few
    for name, url in pages.items():
        times, busy = [], time.process_time()
        for _ in range(20):
            begun = time.perf_counter()
            browser.get(url)
            times.append((time.perf_counter() - begun) * 1000)
        own = (time.process_time() - busy) * 1000 / len(times)
        size = f"{PROVIDERS} providers, {RUNNING} running, {WAITING:,} waiting"
        figure = f"{size}, {name}: p95 {p95(times):.0f} ms (wanted: 100 ms)"
        tell("check 27", f"{figure}, of which {own:.0f} ms are ours; {few[name]} queries")
        assert p95(times) < 5000
