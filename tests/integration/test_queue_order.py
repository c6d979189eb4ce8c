"""The page of the queue lists in the planner's own order, with the planner's own places."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from jobs import queue_page
from orchestrator.postgres_store import PostgresStore
from orchestrator.scheduling.policy import plan
from projects.models import Project
from tests.support.builders import make_job, make_project, make_user
from tests.support.pages import signed_in, words_of
from tests.support.queues import KINDS, listed, make_waiting, places

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project("etl")


@pytest.fixture
def browser(project: Project) -> Client:
    return signed_in(make_user("ada", project=project))


@hypothesis_settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(48, 52), st.sampled_from(KINDS)),
        min_size=1,
        max_size=24,
    )
)
def test_the_list_is_in_the_planners_order_with_the_planners_places(
    browser: Client, project: Project, monkeypatch: pytest.MonkeyPatch, made: list[Any]
) -> None:
    monkeypatch.setattr(queue_page, "PAGE_SIZE", 5)
    foreign = make_project("secret")
    with transaction.atomic():
        jobs = [make_waiting(project if own else foreign, *rest) for own, *rest in made]
        # Without a provider the planner tells of each job in its order why it waits.
        order = [wait.job for wait in plan(PostgresStore("test", 10).snapshot()).waits]
        mine = {job.pk: job for job in jobs if job.project_id == project.pk}
        out = sorted(
            (job for job in mine.values() if job.pk not in order),
            key=lambda job: (job.held, -job.priority, job.pk),
        )
        wanted = [pk for pk in order if pk in mine]
        assert listed(browser) == [*wanted, *(job.pk for job in out)]
        first = {pk: order.index(pk) + 1 for pk in wanted[:5]}
        assert places(browser) == first
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


def test_a_job_whose_retry_is_due_is_told_to_wait_for_the_next_look(
    browser: Client, project: Project
) -> None:
    make_waiting(project, 50, "due again")
    words = words_of(browser.get("/queue"))
    assert "1 waits: 1 for the next look" in words
    assert "Waiting for the scheduler's next look." in words
