"""Why a job waits, on its page: each provider's answer in numbers, and its place in the queue."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from jobs.models import Attempt, Job
from projects.models import Project
from tests.support.attempts import make_attempt
from tests.support.builders import make_job, make_project, make_provider, make_user
from tests.support.pages import signed_in, words_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project("etl")


@pytest.fixture
def browser(project: Project) -> Client:
    return signed_in(make_user("ada", project=project))


def said(browser: Client, job: Job) -> str:
    return words_of(browser.get(f"/_/jobs/{job.pk}/waiting"))


def test_each_provider_answers_and_the_nearest_comes_first(
    browser: Client, project: Project
) -> None:
    make_provider("tiny", found_memory_mb=4096)
    make_provider("asleep", mode="inactive")
    make_provider("away", health="unreachable")
    near = make_provider("near")
    attempt = make_attempt(provider=near)
    Attempt.objects.filter(pk=attempt.pk).update(memory_mb=12_288)
    job = make_job(project=project, spec={"resources": {"memory_mb": 6144}})
    words = said(browser, job)
    assert "No provider that suits it has 6 GiB of memory free" in words
    assert "1 is too full, 1 takes nothing now, 1 is too small, 1 is switched off" in words
    assert "Needs 2 GiB more" in words
    assert "Has 8 CPU, 4 GiB in all" in words
    order = [words.index(name) for name in ("near", "away", "tiny", "asleep")]
    assert order == sorted(order)


def test_the_measure_that_is_short_has_a_column(browser: Client, project: Project) -> None:
    """GPUs where the job asks for some, slots where somebody has none left."""
    full = make_provider("full", slots=1, found_gpus=4)
    make_provider("endless", slots=None, found_gpus=1)
    words = said(browser, make_job(project=project))
    assert "GPUs" not in words
    assert "Slots" not in words
    make_attempt(provider=full)
    words = said(browser, make_job(project=project, spec={"resources": {"gpus": 2}}))
    assert "CPU, needs 1" in words
    assert "GPUs, needs 2" in words
    assert "4 free" in words
    assert "Slots, needs 1" in words
    assert "0 freeof 1" in words
    assert "Its only slot is taken" in words
    assert "no limit" in words


def test_its_place_is_by_priority_and_then_first_come(browser: Client, project: Project) -> None:
    first = make_job(project=project, priority=90, name="urgent")
    mine = make_job(project=project, name="mine")
    make_job(project=project, name="later")
    make_job(project=project, held=True, priority=99)
    Job.objects.filter(pk=first.pk).update(queued_at=timezone.now() - timedelta(minutes=14))
    words = said(browser, mine)
    assert "Number 2 in the queue 3 waiting" in words
    assert words.index("urgent") < words.index("mine") < words.index("later")
    assert "The oldest has waited 14 min" in words


def test_a_neighbour_of_another_project_has_no_name(browser: Client, project: Project) -> None:
    make_job(project=make_project("secret"), name="hidden-name")
    words = said(browser, make_job(project=project))
    assert "a job of another project" in words
    assert "hidden-name" not in words
    assert "Number 2 in the queue" in words


def test_a_held_job_has_no_place_in_the_queue(browser: Client, project: Project) -> None:
    words = said(browser, make_job(project=project, held=True, reason="held"))
    assert "Held. Release it to let it run." in words
    assert "in the queue" not in words


def test_without_a_provider_the_way_to_one_is_shown(browser: Client, project: Project) -> None:
    words = said(browser, make_job(project=project))
    assert "There is no provider yet" in words
    assert "Add a provider" in words


def test_a_job_that_does_not_wait_has_no_panel(browser: Client, project: Project) -> None:
    assert said(browser, make_job(state="running", project=project)) == ""


def test_the_number_of_queries_does_not_grow_with_the_queue_and_the_providers(
    browser: Client, project: Project
) -> None:
    job = make_job(project=project)
    make_provider()

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            browser.get(f"/_/jobs/{job.pk}/waiting")
        return len(captured)

    few = queries()
    for _ in range(12):
        make_provider()
        make_job(project=project)
    assert queries() == few
