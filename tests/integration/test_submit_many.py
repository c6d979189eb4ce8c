"""Many jobs in one call: all or none, in order, and once under one key."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from jobs.batch_submit import MAX_BATCH_KEY, MOST_JOBS
from jobs.models import Job
from jobs.queue_models import QueueClass
from projects.models import Event, Membership, Project, Role
from projects.secrets import open_values
from tests.support.builders import bearer, make_project, make_spec, make_user


def submit(headers: dict[str, str], body: object, key: str | None = None) -> Any:
    if key is not None:
        headers = headers | {"HTTP_IDEMPOTENCY_KEY": key}
    return Client().post(
        "/api/v1/jobs/bulk",
        data=json.dumps(body),
        content_type="application/json",
        **headers,  # type: ignore[arg-type]
    )


def batch(*specs: object) -> dict[str, object]:
    return {"jobs": list(specs)}


@pytest.fixture
def ada(db: None) -> dict[str, str]:
    return bearer(make_user("ada", project=make_project("default")))


def test_jobs_stand_in_the_order_of_the_request_each_with_its_own_spec(
    ada: dict[str, str],
) -> None:
    specs = [
        make_spec(name=f"job-{n}", priority=n, labels={"n": str(n)}, hold=n == 2) for n in range(5)
    ]
    specs[3] |= {"secret_env": {"KEY": "s"}, "queue_timeout_seconds": 60}
    response = submit(ada, batch(*specs))
    assert response.status_code == 201, response.content
    ids = response.json()["ids"]
    assert ids == sorted(ids)
    jobs = [Job.objects.get(pk=pk) for pk in ids]
    assert [(j.name, j.priority, j.labels) for j in jobs] == [
        (f"job-{n}", n, {"n": str(n)}) for n in range(5)
    ]
    assert [j.held for j in jobs] == [False, False, True, False, False]
    assert [j.reason for j in jobs] == ["queued", "queued", "held", "queued", "queued"]
    assert open_values(jobs[3].secrets) == {"KEY": "s"}
    assert jobs[0].secrets is None
    assert jobs[3].queue_until is not None
    assert (jobs[3].queue_until - jobs[3].queued_at).total_seconds() == 60
    events = Event.objects.filter(type="job.submitted").order_by("pk")
    assert [e.subject_id for e in events] == ids
    assert {(e.target, e.actor_name, e.via) for e in events} == {("pending", "ada", "api")}


def test_a_job_of_many_is_the_same_as_a_job_alone(ada: dict[str, str]) -> None:
    spec = make_spec(
        concurrency={"key": "deploy"}, queue_timeout_seconds=9, requires=[], secret_env={"A": "b"}
    )
    alone = Client().post(
        "/api/v1/jobs", data=json.dumps(spec), content_type="application/json", **ada  # type: ignore[arg-type]
    ).json()["id"]  # fmt: skip
    (among,) = submit(ada, batch(spec)).json()["ids"]
    rows: list[dict[str, Any]] = [dict(job) for job in Job.objects.order_by("pk").values()]
    (one, other) = rows
    assert (one["id"], other["id"]) == (alone, among)
    differs = {name for name, value in one.items() if value != other[name]}
    assert differs == {"id", "created_at", "queued_at", "queue_until", "secrets"}


def test_all_problems_are_told_with_their_place_and_nothing_is_made(ada: dict[str, str]) -> None:
    wrong = batch(make_spec(), make_spec(priority=101), make_spec(colour="red"), 7)
    response = submit(ada, wrong)
    assert response.status_code == 422
    assert [e["pointer"] for e in response.json()["errors"]] == [
        "/jobs/1/priority", "/jobs/2/colour", "/jobs/3",
    ]  # fmt: skip
    there = submit(ada, batch(make_spec(), make_spec(provider="nowhere"), make_spec(project="x")))
    assert there.status_code == 422
    assert [e["pointer"] for e in there.json()["errors"]] == ["/jobs/1/provider", "/jobs/2/project"]
    assert not Job.objects.exists()
    assert not QueueClass.objects.exists()


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ([], ""),
        ({}, "/jobs"),
        ({"jobs": []}, "/jobs"),
        ({"jobs": {}}, "/jobs"),
        ({"jobs": [{}] * (MOST_JOBS + 1)}, "/jobs"),
        ({"jobs": [make_spec()], "job": 1}, "/job"),
        ({"jobs": [make_spec()], "a/b\0": 1}, "/a~1b\\0"),
    ],
)
def test_a_body_of_another_shape_is_refused_by_its_field(
    ada: dict[str, str], body: object, pointer: str
) -> None:
    response = submit(ada, body)
    assert response.status_code == 422
    assert [e["pointer"] for e in response.json()["errors"]] == [pointer]


def test_a_project_that_one_may_only_see_is_named_with_the_job(db: None) -> None:
    seen, own = make_project("seen"), make_project("own")
    user = make_user(project=own)
    Membership.objects.create(project=seen, user=user, role=Role.VIEWER)
    response = submit(bearer(user), batch(make_spec(project="own"), make_spec(project="seen")))
    assert response.status_code == 403
    assert "Job 1 of the list" in response.json()["detail"]
    assert not Job.objects.exists()


def test_the_limit_of_waiting_jobs_holds_for_the_whole_call(ada: dict[str, str]) -> None:
    project = make_project("small")
    Project.objects.filter(pk=project.pk).update(max_queued=3)
    user = bearer(make_user(project=project))
    assert submit(user, batch(*[make_spec(project="small")] * 4)).status_code == 429
    assert not Job.objects.exists()
    assert submit(user, batch(*[make_spec(project="small")] * 3)).status_code == 201


def test_a_thousand_jobs_take_as_many_queries_as_one(
    ada: dict[str, str], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    submit(ada, batch(make_spec()))
    for many in (1, MOST_JOBS):
        with django_assert_num_queries(9):
            # token and roles; project; begin, limits, class, jobs and events, two notices, commit
            assert submit(ada, batch(*[make_spec()] * many)).status_code == 201


def test_the_same_body_under_one_key_makes_its_jobs_once(ada: dict[str, str]) -> None:
    body = batch(make_spec(name="a"), make_spec(name="b"))
    first, again = submit(ada, body, "k"), submit(ada, body, "k")
    assert (first.status_code, again.status_code) == (201, 200)
    assert again["Idempotency-Replayed"] == "true"
    assert again.json() == first.json()
    other = submit(ada, batch(make_spec(name="a")), "k")
    assert other.status_code == 409
    assert submit(ada, body, "k" * (MAX_BATCH_KEY + 1)).status_code == 422
    assert Job.objects.count() == 2


@pytest.mark.parametrize("gone", [0, 1])
def test_a_key_of_which_a_job_has_been_deleted_makes_nothing_and_says_so(
    ada: dict[str, str], gone: int
) -> None:
    body = batch(make_spec(), make_spec())
    ids = submit(ada, body, "k").json()["ids"]
    Job.objects.filter(pk=ids[gone]).delete()
    again = submit(ada, body, "k")
    assert again.status_code == 409
    assert "have been deleted" in again.json()["detail"]
    assert Job.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_twins_at_the_same_time_make_the_jobs_once() -> None:
    headers = bearer(make_user(project=make_project("default")))
    body = batch(*[make_spec()] * 50)
    answers: list[Any] = []
    start = threading.Barrier(4)

    def send() -> None:
        start.wait()
        answers.append(submit(headers, body, "twin"))
        connection.close()

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(a.status_code for a in answers) == [200, 200, 200, 201]
    assert len({tuple(a.json()["ids"]) for a in answers}) == 1
    assert Job.objects.count() == 50
