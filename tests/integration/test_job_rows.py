"""A row of the list: what is told of a job beside its name."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from jobs.models import Job
from jobs.records import ENOUGH
from jobs.usual import usual_of
from projects.models import Role
from tests.support.builders import make_job, make_project, make_user
from tests.support.pages import signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser() -> Client:
    return signed_in(make_user("ada", superuser=True))


def ran(seconds: float, name: str = "load", state: str = "completed", project: str = "etl") -> Job:
    """A job of that name that ran so long."""
    began = timezone.now() - timedelta(hours=1)
    return make_job(
        name=name,
        state=state,
        project=make_project(project),
        started_at=began,
        finished_at=began + timedelta(seconds=seconds),
    )


def running_for(seconds: float, name: str = "load") -> Job:
    began = timezone.now() - timedelta(seconds=seconds)
    return make_job(name=name, state="running", project=make_project("etl"), started_at=began)


def row(browser: Client, job: Job) -> str:
    """The row of a job."""
    page = browser.get("/_/jobs/rows?all").content.decode()
    found = re.search(rf'<tr id="job-{job.pk}".*?</tr>', page, re.S)
    assert found is not None
    return found[0]


def test_what_ran_is_held_against_what_is_usual_for_its_name(browser: Client) -> None:
    for seconds in (50, 60, 70, 80, 4000):
        ran(seconds)
    job = ran(35, state="failed")
    shown = row(browser, job)
    assert "usually 1 min 10 s; nearly all of the last 5 took" in shown
    assert 'class="usual e"' in shown
    assert 'class="part" width="30%"' in shown  # the mark of the usual is at 60 %


def test_a_running_job_that_takes_long_for_its_name_says_so(browser: Client) -> None:
    for seconds in (50, 55, 60, 65, 70):
        ran(seconds)
    assert 'class="usual r"' in row(browser, running_for(40))
    long = row(browser, running_for(400))
    assert 'class="usual w"' in long
    assert ">over usual</span>" in long


def test_nothing_is_usual_before_enough_has_completed_nor_by_other_projects() -> None:
    for _ in range(ENOUGH - 1):
        ran(60)
    for _ in range(ENOUGH):
        ran(60, state="failed")
        ran(60, project="other")
        ran(60, name="load-2")
    job = ran(60, state="failed")
    assert usual_of([job]) == {}
    ran(60)
    assert usual_of([job])[job.pk].runs == ENOUGH
    assert usual_of([make_job(name="load", project=make_project("etl"))]) == {}  # has not run


def test_a_row_says_who_submitted_and_how_and_what_it_repeats(browser: Client) -> None:
    first = make_job(submitted_by=make_user("bob"), submitted_via="api")
    again = make_job(submitted_by=make_user("eve"), submitted_via="web", rerun_of=first)
    assert 'title="By bob, through the API"' in row(browser, first)
    assert f'title="By eve, on a page; repeats job {first.pk}"' in row(browser, again)


def test_a_row_offers_what_can_be_done_with_its_job(browser: Client) -> None:
    assert "action=cancel" in row(browser, running_for(1))
    assert "action=rerun" in row(browser, ran(1))
    stopping = make_job(cancel_requested_at=timezone.now(), cancel_requested_by="ada")
    assert "action=" not in row(browser, stopping)
    viewer = signed_in(make_user("vic", project=make_project("etl"), role=Role.VIEWER))
    assert "action=" not in row(viewer, ran(1))
    assert "?tab=log" in row(viewer, ran(1))


def test_attempts_are_told_of_how_many(browser: Client) -> None:
    job = make_job(state="failed", attempt=2, spec={"retry": {"max_attempts": 3}})
    assert '<td class="c-a opt">2 / 3</td>' in row(browser, job)
