"""What a project may submit: how many of its jobs may wait, and how many it submits a minute."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from jobs.bulk import rerun_batch
from jobs.bulk_words import Fate
from jobs.models import Job
from jobs.services import job_submit
from jobs.states import JobState
from projects.actor import Actor
from projects.errors import LimitReached
from projects.models import Event, Project
from tests.support.builders import (
    bearer,
    make_actor,
    make_job,
    make_project,
    make_spec,
    make_user,
)
from tests.support.connections import OtherSession, blocked_sessions, other_session
from tests.support.pages import signed_in, words_of
from tests.support.waiting import wait_until

MINUTE = timedelta(minutes=1)


@pytest.fixture
def project() -> Project:
    return make_project("default")


def limit(project: Project, **columns: int) -> None:
    Project.objects.filter(pk=project.pk).update(**columns)


def somebody(project: Project) -> Actor:
    return make_actor(make_user(project=project))


def submit(actor: Actor, key: str | None = None, **fields: Any) -> Job:
    return job_submit(actor, data=make_spec(**fields), idempotency_key=key)[0]


def post(path: str, body: object, headers: dict[str, str]) -> Any:
    return Client().post(
        f"/api/v1{path}",
        data=json.dumps(body),
        content_type="application/json",
        **headers,  # type: ignore[arg-type]
    )


@pytest.mark.django_db
def test_as_many_may_wait_as_the_limit_says_held_and_backing_off_ones_too(
    project: Project,
) -> None:
    actor = somebody(project)
    limit(project, max_queued=3)
    make_job(state="running", project=project)
    make_job(project=make_project("elsewhere"))
    make_job(project=project, reason="backoff", not_before=timezone.now() + MINUTE)
    submit(actor, hold=True)
    submit(actor)
    with pytest.raises(LimitReached) as refused:
        submit(actor)
    assert str(refused.value) == (
        "No more than 3 jobs of default may wait at once, and 3 wait now. Try again when some "
        "have started or ended, cancel some, or ask an operator to raise the limit."
    )
    assert refused.value.retry_after is None
    limit(project, max_queued=1)
    with pytest.raises(LimitReached, match="and more than that wait now"):
        submit(actor)
    Job.objects.filter(state=JobState.PENDING).delete()
    submit(actor)
    limit(project, max_queued=0)
    with pytest.raises(LimitReached, match="default takes no jobs: its limit is 0 that wait"):
        submit(actor)


@pytest.mark.django_db
def test_the_rate_is_told_with_the_seconds_until_the_next_one(project: Project) -> None:
    actor, headers = somebody(project), bearer(make_user(project=project))
    limit(project, submits_per_minute=2)
    first = submit(actor)
    submit(actor)
    Job.objects.filter(pk=first.pk).update(created_at=Now() - timedelta(seconds=20))
    answer = post("/jobs", make_spec(), headers)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (429, "limit_reached")
    seconds = int(answer["Retry-After"])
    assert 20 <= seconds <= 40
    assert problem["detail"] == (
        "default may submit no more than 2 jobs in a minute, and has done so. "
        f"Try again in {seconds} s."
    )
    Job.objects.filter(pk=first.pk).update(created_at=Now() - MINUTE)
    assert post("/jobs", make_spec(), headers).status_code == 201


@pytest.mark.django_db
def test_a_full_queue_is_told_to_programs_without_a_time(project: Project) -> None:
    headers = bearer(make_user(project=project))
    limit(project, max_queued=1)
    ended = make_job(state="completed", project=project)
    assert post("/jobs", make_spec(), headers).status_code == 201
    for path, body in (("/jobs", make_spec()), (f"/jobs/{ended.pk}/rerun", {})):
        answer = post(path, body, headers)
        assert (answer.status_code, answer.json()["code"]) == (429, "limit_reached")
        assert "Retry-After" not in answer
    assert Job.objects.count() == 2
    assert Event.objects.filter(type="job.submitted").count() == 1


@pytest.mark.django_db
def test_a_repeated_request_is_answered_also_when_nothing_more_may_wait(
    project: Project,
) -> None:
    actor, body = somebody(project), make_spec()
    limit(project, max_queued=1, submits_per_minute=1)
    job, created = job_submit(actor, data=body, idempotency_key="one")
    again, made = job_submit(actor, data=body, idempotency_key="one")
    assert (created, made, again.pk) == (True, False, job.pk)
    with pytest.raises(LimitReached):
        job_submit(actor, data=body, idempotency_key="two")


@pytest.mark.django_db
def test_the_form_says_it_and_keeps_what_was_typed(project: Project) -> None:
    browser = signed_in(make_user(project=project))
    limit(project, max_queued=0)
    fields = {
        "name": "kept-name", "project": "default", "image": "sample:1", "program": "script",
        "script": "echo kept", "cpu_cores": "1", "gpus": "0", "memory": "64", "memory_unit": "1",
        "timeout": "1", "timeout_unit": "60", "max_attempts": "1", "backoff": "10",
        "backoff_unit": "1", "priority": "50", "queue_timeout_unit": "60", "network": "bridge",
        "profile": "standard",
    }  # fmt: skip
    answer = browser.post("/jobs/new", fields)
    assert answer.status_code == 422
    assert "default takes no jobs: its limit is 0 that wait." in words_of(answer)
    page = answer.content.decode()
    assert "kept-name" in page
    assert "echo kept" in page
    assert not Job.objects.exists()


@pytest.mark.django_db
def test_buttons_and_bulk_reruns_count_too(project: Project) -> None:
    user = make_user(project=project)
    browser = signed_in(user)
    ended = [make_job(state="failed", project=project).pk for _ in range(3)]
    limit(project, max_queued=2)
    fates, _ = rerun_batch(make_actor(user), ended, token="t")
    assert fates == {Fate.RERUN: 2, Fate.LIMITED: 1}
    again = browser.post(f"/jobs/{ended[0]}/rerun", follow=True)
    assert "No more than 2 jobs of default may wait at once" in words_of(again)
    hello = browser.post("/hello", follow=True)
    assert "No more than 2 jobs of default may wait at once" in words_of(hello)
    assert Job.objects.filter(state=JobState.PENDING).count() == 2


@pytest.mark.django_db
def test_a_project_without_such_a_limit_is_neither_locked_nor_counted(project: Project) -> None:
    actor = somebody(project)
    submit(actor)
    limit(project, max_running=1)
    with CaptureQueriesContext(connection) as captured:
        submit(actor)
    asked = [query["sql"] for query in captured.captured_queries]
    assert not [sql for sql in asked if "What stands against one more job" in sql]
    limit(project, max_queued=9)
    with CaptureQueriesContext(connection) as captured:
        submit(actor)
    asked = [query["sql"] for query in captured.captured_queries]
    assert len([sql for sql in asked if "What stands against one more job" in sql]) == 1


@pytest.fixture
def sessions() -> Iterator[list[OtherSession]]:
    with other_session() as one, other_session() as two:
        yield [one, two]


@pytest.mark.django_db(transaction=True)
def test_of_two_at_the_same_moment_one_gets_the_last_place(
    project: Project, sessions: list[OtherSession]
) -> None:
    actor = somebody(project)
    limit(project, max_queued=1)
    with transaction.atomic():
        Project.objects.select_for_update().get(pk=project.pk)
        both = [session.begin(lambda: submit(actor)) for session in sessions]
        wait_until(lambda: blocked_sessions() == 2, 10, "both wait for their turn")
    outcomes = [future.exception(10) for future in both]
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["LimitReached", "NoneType"]
    assert Job.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_twins_of_one_request_are_both_answered_with_the_job_in_the_last_place(
    project: Project, sessions: list[OtherSession]
) -> None:
    actor, body = somebody(project), make_spec()
    limit(project, max_queued=1, submits_per_minute=1)
    with transaction.atomic():
        Project.objects.select_for_update().get(pk=project.pk)
        both = [
            session.begin(lambda: job_submit(actor, data=body, idempotency_key="one"))
            for session in sessions
        ]
        wait_until(lambda: blocked_sessions() == 2, 10, "both wait for their turn")
    (one, first), (two, second) = (future.result(10) for future in both)
    assert one.pk == two.pk
    assert sorted([first, second]) == [False, True]
