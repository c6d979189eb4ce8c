"""What is usual for the jobs of one name, as the database reckons it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from jobs.last_runs import BARS, last_runs
from jobs.records import ENOUGH, MOST_RUNS, Usual, records
from projects.models import Project
from tests.support.builders import make_job, make_project

pytestmark = pytest.mark.django_db


@pytest.fixture
def etl() -> Project:
    return make_project("etl")


def ran(project: Project, *seconds: float, name: str = "nightly", state: str = "completed") -> None:
    now = timezone.now()
    for one in seconds:
        began = now - timedelta(seconds=one)
        make_job(project=project, name=name, state=state, started_at=began, finished_at=now)


def test_what_is_usual_is_told_by_the_completed_runs_of_that_name_in_that_project(
    etl: Project,
) -> None:
    ran(etl, 60, 60, 70, 80, 600)
    ran(etl, 1, 1, state="failed")
    ran(etl, 5, 5, name="hourly")
    ran(make_project("other"), 9, 9)
    name = (etl.pk, "nightly")
    assert records([name])[name].usual == Usual(5, 70, 600)


def test_too_few_runs_make_nothing_usual(etl: Project) -> None:
    ran(etl, *[60] * (ENOUGH - 1))
    name = (etl.pk, "nightly")
    assert records([name])[name].usual is None
    assert records([]) == {}


def test_of_twenty_runs_one_may_be_as_long_as_it_likes_and_old_runs_are_forgotten(
    etl: Project,
) -> None:
    name = (etl.pk, "nightly")
    ran(etl, 6000, *[60] * 19)
    assert records([name])[name].usual == Usual(20, 60, 60)
    ran(etl, *[10] * MOST_RUNS)
    assert records([name])[name].usual == Usual(MOST_RUNS, 10, 10)


def test_the_newest_that_completed_is_known_and_only_what_is_drawn_is_fetched(
    etl: Project,
) -> None:
    ran(etl, *[60] * 12)
    ran(etl, 60, state="failed")
    name = (etl.pk, "nightly")
    runs = last_runs([name])[name].runs
    assert len(runs) == BARS
    assert runs[0].state == "failed"
    assert records([name])[name].completed == runs[1].id
