"""The page of the queue lists in the planner's own order, with the planner's own places."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from jobs import queue_page
from jobs.queue_models import QueueClass
from jobs.whole_line import whole_line
from orchestrator.postgres_store import PostgresStore
from orchestrator.scheduling.order import Line
from orchestrator.scheduling.snapshot import Snapshot
from projects.models import InstanceSettings, Project
from tests.support.attempts import make_attempt
from tests.support.builders import make_job, make_project, make_provider, make_user
from tests.support.pages import signed_in, words_of
from tests.support.queues import KINDS, listed, make_waiting, places

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project("etl")


@pytest.fixture
def browser(project: Project) -> Client:
    return signed_in(make_user("ada", project=project))


def walked(snapshot: Snapshot) -> list[int]:
    """The jobs of a snapshot as the planner walks them when there is room for all but those
    that have been told to wait; of these it comes to the first of each class."""
    line, order = Line(snapshot), []
    for head in line:
        order.append(head.job)
        if head.waiting.told[0] == "queued":
            line.started(head)
        else:
            line.refused(head)
    return order


waiting = st.tuples(
    st.sampled_from(["etl", "ci", "secret"]),
    st.integers(48, 52),
    st.sampled_from(KINDS),
    st.sampled_from([0, 1, 60, 3600, 3 * 3600, 5 * 3600, 6 * 3600, 9 * 3600]),
    st.sampled_from([(1, 512, 0), (4, 512, 0), (1, 8192, 0), (1, 512, 1)]),
)


@hypothesis_settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    made=st.lists(waiting, min_size=1, max_size=24),
    weights=st.tuples(*[st.sampled_from([50, 100, 300])] * 3),
    running=st.lists(st.sampled_from(["etl", "ci"]), max_size=2),
    gpus=st.sampled_from([0, 4]),
    has_room=st.booleans(),
    refused=st.sets(st.tuples(st.sampled_from(["etl", "ci", "secret"]), st.integers(48, 52))),
)
def test_the_list_is_in_the_planners_order_with_the_planners_places(
    browser: Client, project: Project, monkeypatch: pytest.MonkeyPatch,
    made: list[Any], weights: tuple[int, ...], running: list[str], gpus: int, has_room: bool,
    refused: set[tuple[str, int]],
) -> None:  # fmt: skip
    monkeypatch.setattr(queue_page, "PAGE_SIZE", 5)
    with transaction.atomic():
        slugs = dict(zip(("etl", "ci", "secret"), weights, strict=True))
        projects = {slug: make_project(slug) for slug in slugs}
        for slug, weight in slugs.items():
            Project.objects.filter(slug=slug).update(weight=weight)
        if has_room:
            provider = make_provider(found_gpus=gpus)
            for slug in running:
                job = make_job(state="running", project=projects[slug], provider=provider)
                make_attempt(job=job, provider=provider)
        now = timezone.now()
        jobs = [
            make_waiting(
                projects[slug], priority, kind,
                queued_at=now - timedelta(seconds=waited),
                spec={"resources": {"cpu_cores": cpu, "memory_mb": memory, "gpus": gpu}},
            )
            for slug, priority, kind, waited, (cpu, memory, gpu) in made
        ]  # fmt: skip
        for slug, priority in refused:
            told = QueueClass.objects.filter(project=projects[slug], priority=priority)
            told.update(reason="no_capacity")
        heads = walked(PostgresStore("test", 10).snapshot())
        order: list[int] = whole_line().order.jobs.tolist()
        # Of those behind a refused one the planner says nothing: here they stand in line, too.
        assert [job for job in order if job in heads] == heads
        if not refused:
            assert order == heads
        mine = {job.pk: job for job in jobs if job.project_id == project.pk}
        aside = sorted(
            (job for job in mine.values() if job.pk not in order),
            key=lambda job: (job.held, -job.priority, job.pk),
        )
        wanted = [pk for pk in order if pk in mine]
        assert listed(browser) == [*wanted, *(job.pk for job in aside)]
        assert places(browser) == {pk: order.index(pk) + 1 for pk in wanted[:5]}
        transaction.set_rollback(True)


def test_a_place_counts_jobs_that_the_reader_cannot_see_and_shows_nothing_of_them(
    browser: Client, project: Project
) -> None:
    hidden = make_job(project=make_project("secret"), priority=90, name="hidden-name")
    mine = make_job(project=project)
    assert places(browser) == {mine.pk: 2}
    words = words_of(browser.get("/queue"))
    assert "1 waits: 1 for the next look" in words
    assert hidden.name not in words


def test_held_and_backed_off_jobs_stand_last_and_have_no_number(
    browser: Client, project: Project
) -> None:
    held = make_waiting(project, 99, "held")
    later = make_waiting(project, 99, "backing off")
    mine = make_waiting(project, 1, "queued")
    assert listed(browser) == [mine.pk, later.pk, held.pk]
    assert places(browser) == {mine.pk: 1}
    assert re.search(r"due in (59 min|1 h)", words_of(browser.get("/queue")))


def test_a_job_whose_retry_is_due_backs_off_until_the_scheduler_lets_it_into_line(
    browser: Client, project: Project
) -> None:
    make_waiting(project, 50, "due again")
    assert "1 waits: 1 backs off" in words_of(browser.get("/queue"))
    assert places(browser) == {}


def test_jobs_without_a_class_yet_stand_in_line_by_their_own_columns(
    browser: Client, project: Project
) -> None:
    late = make_job(project=project, priority=10)
    made = make_job(project=project, priority=90, queue_class=None)
    assert places(browser) == {made.pk: 1, late.pk: 2}
    assert listed(browser, "why=next") == [made.pk, late.pk]
    assert "2 wait: 2 for the next look" in words_of(browser.get("/queue"))


def test_a_job_that_has_waited_long_stands_before_a_higher_priority(
    browser: Client, project: Project
) -> None:
    old = make_job(project=project, priority=10, queued_at=timezone.now() - timedelta(minutes=301))
    overdue = make_job(project=project, priority=0, queued_at=timezone.now() - timedelta(hours=7))
    high = make_job(project=project, priority=80)
    assert listed(browser) == [overdue.pk, old.pk, high.pk]
    words = words_of(browser.get("/queue"))
    assert "0 ↑overdue" in words
    assert "10 ↑85" in words


def test_a_walk_sees_the_order_of_the_moment_in_which_it_began(
    browser: Client, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_page, "PAGE_SIZE", 2)
    InstanceSettings.objects.update(patience_seconds=60)
    jobs = [make_job(project=project, priority=50) for _ in range(4)]
    page = browser.get("/queue").content.decode()
    # what has passed meanwhile would let the last two come first
    InstanceSettings.objects.update(patience_seconds=6 * 3600)
    found = re.search(r'rel="next"\s+href="([^"]+)"', page)
    assert found is not None
    make_job(project=project, priority=49)
    again = browser.get(found[1].replace("&amp;", "&")).content.decode()
    rows = [int(pk) for pk in re.findall(r'<tr id="waiting-(\d+)"', again)]
    assert rows == [job.pk for job in jobs[2:]]
