"""Why a job waits, over the API and in its panel; and the same of one that is not submitted."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from jobs.models import Attempt, Job
from jobs.queue_models import WaitSpan
from projects.models import Event, Project
from providers.models import Provider
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


def full(project: Project, name: str = "node-2", *, holds_mb: int = 12_288) -> Provider:
    """A provider of 16 GiB with a running job on it."""
    provider = make_provider(name)
    job = make_job(state="running", project=project, provider=provider, name="holder")
    attempt = make_attempt(provider=provider)
    Attempt.objects.filter(pk=attempt.pk).update(job=job, memory_mb=holds_mb)
    return provider


def why(browser: Client, job: Job) -> dict[str, Any]:
    answer = browser.get(f"/api/v1/jobs/{job.pk}/why")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def dry_run(browser: Client, **spec: Any) -> dict[str, Any]:
    body = {"name": "probe", "image": "sample:1", "project": "etl"} | spec
    answer = browser.post("/api/v1/jobs/dry-run", body, content_type="application/json")
    assert answer.status_code == 200, answer.content
    found: dict[str, Any] = answer.json()
    return found


def test_the_exact_shortfall_and_what_would_let_it_start_are_told(
    browser: Client, project: Project
) -> None:
    provider = full(project)
    holder = Job.objects.get(name="holder")
    job = make_job(
        project=project,
        reason="no_capacity",
        reason_detail={"need": "1 CPU, 6 GiB", "best": "node-2"},
        spec={"resources": {"memory_mb": 6144}},
    )
    found = why(browser, job)
    (answer,) = found["providers"]
    assert (answer["id"], answer["answer"]) == (provider.pk, "full")
    assert answer["short_of"] == {"cpu_millis": 0, "memory_mb": 2048, "gpus": 0, "slots": 0}
    assert found["ways_out"] == [
        f"Fits on node-2 when job {holder.pk} ends.",
        "Would start on node-2 now with 2 GiB less.",
    ]
    assert found["reason"] == "no_capacity"
    assert (found["place"], found["waiting"]) == (1, 1)
    words = words_of(browser.get(f"/_/jobs/{job.pk}/waiting"))
    assert f"Fits on node-2 when job {holder.pk} ends." in words


def test_jobs_of_projects_that_one_cannot_see_are_not_named(
    browser: Client, project: Project
) -> None:
    full(make_project("secret"))
    job = make_job(project=project, reason="no_capacity", spec={"resources": {"memory_mb": 6144}})
    assert why(browser, job)["ways_out"][0] == "Fits on node-2 when another project's job ends."


def test_a_key_at_its_limit_names_the_jobs_that_have_it(browser: Client, project: Project) -> None:
    running = make_job(state="running", project=project, concurrency_key="deploy")
    job = make_job(
        project=project,
        concurrency_key="deploy",
        reason="key_limit",
        reason_detail={"key": "deploy", "limit": 1},
    )
    held_up = why(browser, job)["held_up_by"]
    assert held_up == {"text": "1 of 1 with the key deploy run now.", "jobs": [running.pk]}
    assert "1 of 1 with the key deploy run now." in words_of(
        browser.get(f"/_/jobs/{job.pk}/waiting")
    )


def test_a_project_at_its_limit_tells_what_it_uses(browser: Client, project: Project) -> None:
    full(project)
    Project.objects.filter(pk=project.pk).update(max_running=1, max_memory_mb=16_384)
    detail = {"project": "etl", "limit": "1 running job"}
    job = make_job(project=project, reason="project_limit", reason_detail=detail)
    assert why(browser, job)["held_up_by"] == {
        "text": "etl uses 1 of 1 running jobs, 12 GiB of 16 GiB of memory now.",
        "jobs": [],
    }


def test_the_history_is_its_classes_while_it_waited_itself(
    browser: Client, project: Project
) -> None:
    job = make_job(project=project, reason="no_capacity", reason_detail={"need": "x", "best": "y"})
    now, waiting = timezone.now(), job.queue_class
    assert waiting is not None
    hours = [now - timedelta(hours=n) for n in (4, 3, 1)]
    WaitSpan.objects.filter(queue_class=waiting).update(since=hours[2])
    for reason, since, until in (
        ("no_provider", hours[0] - timedelta(hours=1), hours[0]),
        ("paused", hours[0], hours[1]),
        ("no_match", hours[1], hours[2]),
    ):
        WaitSpan.objects.create(queue_class=waiting, reason=reason, since=since, until=until)
    Job.objects.filter(pk=job.pk).update(queued_at=now - timedelta(hours=3, minutes=30))
    history = why(browser, job)["history"]
    assert [one["reason"] for one in history] == ["paused", "no_match", "no_capacity"]
    assert history[-1]["until"] is None


def test_a_job_that_waits_no_more_tells_only_how_it_left(browser: Client, project: Project) -> None:
    job = make_job(state="failed", project=project)
    found = why(browser, job)
    assert (found["state"], found["reason"]) == ("failed", "exit_code")
    assert (found["providers"], found["ways_out"], found["place"]) == ([], [], None)


def test_a_dry_run_tells_where_a_job_would_start_and_submits_nothing(
    browser: Client, project: Project
) -> None:
    make_provider("node-1")
    events = Event.objects.count()
    found = dry_run(browser)
    assert (found["starts"], found["provider"]) == (True, "node-1")
    assert found["text"] == "Starts at once on node-1"
    assert not Job.objects.exists()
    assert Event.objects.count() == events


def test_one_that_is_too_small_tells_by_how_much_of_all_that_it_has(
    browser: Client, project: Project
) -> None:
    full(project)
    (answer,) = dry_run(browser, resources={"memory_mb": 24_576})["providers"]
    assert (answer["answer"], answer["text"]) == ("small", "It is too small by 8 GiB.")


def test_a_dry_run_tells_what_would_have_to_end(browser: Client, project: Project) -> None:
    full(project)
    found = dry_run(browser, resources={"memory_mb": 6144})
    assert (found["starts"], found["provider"]) == (False, None)
    assert found["ways_out"][1] == "Would start on node-2 now with 2 GiB less."


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"max_cpu_millis": 500}, "Larger than all that etl may use at once: needs 1 CPU"),
        ({"max_running": 0}, "Larger than all that etl may use at once: needs 1 running job"),
        ({"paused_at": timezone.now(), "pause_note": "moving"}, "The queue of etl is paused"),
    ],
)
def test_a_dry_run_tells_which_limit_would_keep_it_waiting(
    browser: Client, project: Project, limits: dict[str, Any], words: str
) -> None:
    make_provider("node-1")
    Project.objects.filter(pk=project.pk).update(**limits)
    found = dry_run(browser)
    assert not found["starts"]
    assert found["forbidden"].startswith(words)


def test_a_dry_run_refuses_what_submitting_would(browser: Client) -> None:
    body = {"name": "", "image": "sample:1", "cpus": 2, "project": "etl"}
    answer = browser.post("/api/v1/jobs/dry-run", body, content_type="application/json")
    assert answer.status_code == 422
    submitted = browser.post("/api/v1/jobs", body, content_type="application/json")
    assert answer.json()["errors"] == submitted.json()["errors"]
