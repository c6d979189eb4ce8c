"""Why a job waits, over the API and in its panel."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db.models import F
from django.test import Client
from django.utils import timezone

from jobs.models import Attempt, Job
from jobs.queue_models import QueueClass, WaitSpan
from jobs.transitions import reprioritise
from jobs.way_out import MOST_LIVE
from projects.models import Event, Project
from tests.support.attempts import make_attempt
from tests.support.builders import make_actor, make_job, make_project, make_provider, make_user
from tests.support.pages import signed_in, words_of
from tests.support.whys import dry_run, full, why

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def project() -> Project:
    return make_project("etl")


@pytest.fixture
def browser(project: Project) -> Client:
    return signed_in(make_user("ada", project=project))


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
        "jobs": [Job.objects.get(name="holder").pk],
    }


@pytest.mark.parametrize(
    ("limit", "expected"),
    [("2 running jobs", [0, 1]), ("4 CPU", [1, 0]), ("1 GiB of memory", [0, 1])],
)
def test_the_jobs_that_hold_the_most_of_a_limit_are_named_first(
    browser: Client, project: Project, limit: str, expected: list[int]
) -> None:
    provider = make_provider()
    jobs = [make_job(state="running", project=project, provider=provider) for _ in range(2)]
    for job, cpu, memory in zip(jobs, (1000, 3000), (512, 256), strict=True):
        attempt = make_attempt(job=job, provider=provider)
        Attempt.objects.filter(pk=attempt.pk).update(cpu_millis=cpu, memory_mb=memory)
    Project.objects.filter(pk=project.pk).update(
        max_running=2, max_cpu_millis=4000, max_memory_mb=1024
    )
    detail = {"project": "etl", "limit": limit}
    job = make_job(project=project, reason="project_limit", reason_detail=detail)
    assert why(browser, job)["held_up_by"]["jobs"] == [jobs[at].pk for at in expected]


def test_the_job_from_which_it_keeps_apart_is_named_and_is_the_way_out(
    browser: Client, project: Project
) -> None:
    labels = {"app": "db"}
    node = make_provider("node-1")
    other = make_job(state="running", project=project, provider=node, spec={"labels": labels})
    make_attempt(job=other, provider=node)
    make_job(state="running", project=project, provider=node)
    spec = {"labels": labels, "anti_affinity": ["app"]}
    job = make_job(project=project, reason="apart", spec=spec)
    found = why(browser, job)
    (answer,) = found["providers"]
    assert (answer["answer"], answer["text"]) == (
        "beside",
        f"It runs job {other.pk} with app = db.",
    )
    assert found["ways_out"] == [f"Fits on node-1 when job {other.pk} ends."]
    assert dry_run(browser, **spec)["ways_out"] == found["ways_out"]


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (
            {"reason": "paused", "reason_detail": {"project": "etl", "why": "by eve"}},
            "It may go here once that is over",
        ),
        (
            {"reason": "kept_free", "reason_detail": {"provider": "node-1", "job": 0}},
            "It may go here once that is over",
        ),
        ({"held": True, "reason": "held"}, "It may go here once it is released"),
        (
            {"reason": "backoff", "not_before": timezone.now() + timedelta(hours=1)},
            "It may go here once its retry is due",
        ),
        ({}, "It goes here when its turn comes"),
    ],
)
def test_room_is_no_promise_while_something_else_holds_it_up(
    browser: Client, project: Project, columns: dict[str, Any], words: str
) -> None:
    make_provider("node-1")
    job = make_job(project=project, **columns)
    assert words in words_of(browser.get(f"/_/jobs/{job.pk}/waiting"))


def test_a_pause_is_told_and_that_nothing_starts_until_it_is_over(
    browser: Client, project: Project
) -> None:
    full(project)
    detail = {"project": "etl", "why": "eve wrote “moving”"}
    job = make_job(
        project=project,
        reason="paused",
        reason_detail=detail,
        spec={"resources": {"memory_mb": 6144}},
    )
    found = why(browser, job)
    assert found["held_up_by"] == {
        "text": "Nothing of it starts until somebody resumes it; what runs goes on.",
        "jobs": [],
    }
    # with less it would not start now either
    holder = Job.objects.get(name="holder")
    assert found["ways_out"] == [f"Fits on node-2 when job {holder.pk} ends."]
    words = words_of(browser.get(f"/_/jobs/{job.pk}/waiting"))
    assert "The queue of etl is paused: eve wrote “moving”." in words
    assert "What would make room for it besides" in words


def test_each_full_provider_has_its_way_out_however_much_runs_on_another(
    browser: Client, project: Project
) -> None:
    many = make_provider("many", slots=MOST_LIVE)
    for _ in range(MOST_LIVE):
        make_attempt(provider=many)
    full(project)
    job = make_job(project=project, reason="no_capacity", spec={"resources": {"memory_mb": 6144}})
    assert (
        f"Fits on node-2 when job {Job.objects.get(name='holder').pk} ends."
        in why(browser, job)["ways_out"]
    )


def happened(job: Job, at: datetime, type_: str, **columns: Any) -> None:
    states = {"source": "pending", "target": "pending", "detail": {}} | columns
    Event.objects.create(
        subject_kind="job", subject_id=job.pk, project=job.project, type=type_, at=at,
        actor_kind="user", **states,
    )  # fmt: skip


def waited(waiting: QueueClass, reason: str, since: datetime, until: datetime | None) -> None:
    WaitSpan.objects.filter(queue_class=waiting, until=None).delete()
    WaitSpan.objects.create(queue_class=waiting, reason=reason, since=since, until=until)


def told(browser: Client, job: Job) -> list[tuple[str, float, float | None]]:
    """Its waits, with how many hours ago each began and ended."""
    now = timezone.now()

    def hours(text: str | None) -> float | None:
        return None if text is None else round((now - datetime.fromisoformat(text)) / HOUR, 2)

    found = [
        (w["reason"], hours(w["since"]), hours(w["until"])) for w in why(browser, job)["history"]
    ]
    return [(reason, since or 0.0, until) for reason, since, until in found]


def test_the_history_is_its_classes_while_it_stood_in_line_itself(
    browser: Client, project: Project
) -> None:
    job = make_job(project=project)
    now, waiting = timezone.now(), job.queue_class
    assert waiting is not None
    for reason, since, until in (
        ("no_provider", 5, 4),
        ("paused", 4, 3),
        ("no_match", 3, 1),
        ("no_capacity", 1, None),
    ):
        ended = None if until is None else now - until * HOUR
        waited(waiting, reason, now - since * HOUR, ended)
    happened(job, now - 3.5 * HOUR, "job.submitted", source="")
    happened(job, now - 2 * HOUR, "job.held", reason="held", detail={"by": "ada", "note": "lunch"})
    happened(job, now - 1.5 * HOUR, "job.released")
    assert told(browser, job) == [
        ("paused", 3.5, 3.0),
        ("no_match", 3.0, 2.0),
        ("held", 2.0, 1.5),
        ("no_match", 1.5, 1.0),
        ("no_capacity", 1.0, None),
    ]
    assert "ada wrote “lunch”" in words_of(browser.get(f"/_/jobs/{job.pk}/waiting"))


def test_a_job_that_was_held_from_the_beginning_waited_for_nothing_else(
    browser: Client, project: Project
) -> None:
    job = make_job(project=project, held=True, reason="held")
    now, waiting = timezone.now(), job.queue_class
    assert waiting is not None
    waited(waiting, "no_capacity", now - 9 * HOUR, None)
    happened(job, now - 2 * HOUR, "job.submitted", source="")
    assert told(browser, job) == [("held", 2.0, None)]
    happened(job, now - HOUR, "job.released")
    Job.objects.filter(pk=job.pk).update(held=False, reason="queued")
    assert told(browser, job) == [("held", 2.0, 1.0), ("no_capacity", 1.0, None)]


def test_the_waits_of_earlier_attempts_and_between_them_are_told(
    browser: Client, project: Project
) -> None:
    job = make_job(project=project, attempt=1)
    now, waiting = timezone.now(), job.queue_class
    assert waiting is not None
    waited(waiting, "no_capacity", now - 9 * HOUR, None)
    happened(job, now - 8 * HOUR, "job.submitted", source="")
    happened(job, now - 7 * HOUR, "job.placed", target="scheduled")
    detail = {"delay": "3600 s", "last": "x", "next": 2, "cost": "as retry 1 of 1"}
    happened(job, now - 4 * HOUR, "job.retried", source="running", reason="backoff", detail=detail)
    expected: list[Any] = [
        ("no_capacity", 8.0, 7.0),
        ("backoff", 4.0, 3.0),
        ("no_capacity", 3.0, None),
    ]
    assert told(browser, job) == expected
    happened(job, now - 2 * HOUR, "job.placed", target="scheduled")
    Job.objects.filter(pk=job.pk).update(state="running", provider=make_provider())
    assert told(browser, job) == [*expected[:2], ("no_capacity", 3.0, 2.0)]


def test_a_job_that_was_given_another_priority_waited_before_as_one_of_its_former_class(
    browser: Client, project: Project
) -> None:
    job = make_job(project=project, priority=10)
    before = job.queue_class
    reprioritise([job.pk], 90, make_actor(make_user(superuser=True)))
    job.refresh_from_db()
    now, after = timezone.now(), job.queue_class
    assert before is not None
    assert after is not None
    assert after != before
    Event.objects.filter(type="job.reprioritised").update(at=now - 2 * HOUR)
    Event.objects.filter(subject_id=job.pk).update(id=F("id") + 1_000_000)
    waited(before, "no_match", now - 9 * HOUR, None)
    waited(after, "no_capacity", now - 9 * HOUR, None)
    happened(job, now - 3 * HOUR, "job.submitted", source="")
    assert told(browser, job) == [("no_match", 3.0, 2.0), ("no_capacity", 2.0, None)]


def test_a_job_that_waits_no_more_tells_only_how_it_left(browser: Client, project: Project) -> None:
    job = make_job(state="failed", project=project)
    found = why(browser, job)
    assert (found["state"], found["reason"]) == ("failed", "exit_code")
    assert (found["providers"], found["ways_out"], found["place"]) == ([], [], None)
