"""Repeating a request under one Idempotency-Key makes one job."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from jobs.models import Job
from projects.models import Event
from tests.support.builders import bearer, make_project, make_spec, make_user


def submit(body: object, headers: dict[str, str], key: str, path: str = "/jobs") -> Any:
    return Client().post(
        f"/api/v1{path}",
        data=json.dumps(body),
        content_type="application/json",
        HTTP_IDEMPOTENCY_KEY=key,
        **headers,  # type: ignore[arg-type]
    )


@pytest.mark.django_db
def test_the_same_body_is_answered_with_the_same_job() -> None:
    headers = bearer(make_user(project=make_project("default")))
    body = make_spec(secret_env={"A": "b"}, env={"X": "1", "Y": "2"})
    first = submit(body, headers, "one")
    again = submit(dict(reversed(body.items())), headers, "one")
    assert (first.status_code, again.status_code) == (201, 200)
    assert again["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first
    assert again.json() == first.json()
    assert Job.objects.count() == 1


@pytest.mark.django_db
def test_another_body_under_the_same_key_is_refused_and_makes_nothing() -> None:
    headers = bearer(make_user(project=make_project("default")))
    first = submit(make_spec(secret_env={"A": "1"}), headers, "one").json()
    refused = submit(first["spec"]["name"] and make_spec(secret_env={"A": "2"}), headers, "one")
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    rerun = submit({}, headers, "one", f"/jobs/{first['id']}/rerun")
    assert rerun.status_code == 409
    assert Job.objects.count() == 1


@pytest.mark.django_db
def test_the_key_belongs_to_its_user() -> None:
    project = make_project("default")
    body = make_spec()
    answers = [submit(body, bearer(make_user(project=project)), "one") for _ in range(2)]
    assert [a.status_code for a in answers] == [201, 201]
    assert answers[0].json()["id"] != answers[1].json()["id"]


@pytest.mark.django_db
def test_a_rerun_is_repeated_safely_too() -> None:
    headers = bearer(make_user(project=make_project("default")))
    job = submit(make_spec(), headers, "first").json()
    answers = [submit({"priority": 1}, headers, "again", f"/jobs/{job['id']}/rerun") for _ in "ab"]
    assert [a.status_code for a in answers] == [201, 200]
    assert answers[0].json()["id"] == answers[1].json()["id"]


@pytest.mark.django_db
@pytest.mark.parametrize("key", ["", "x" * 256, "schlüssel"])
def test_a_key_that_is_none_is_refused(key: str) -> None:
    headers = bearer(make_user(project=make_project("default")))
    refused = submit(make_spec(), headers, key)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "/Idempotency-Key"


@pytest.mark.django_db(transaction=True)
def test_twins_that_arrive_at_once_get_the_same_job() -> None:
    headers = bearer(make_user(project=make_project("default")))
    body, twins = make_spec(), 6
    ready, answers = threading.Barrier(twins), []

    def send() -> None:
        try:
            ready.wait(timeout=30)
            answers.append(submit(body, headers, "one"))
        finally:
            connection.close()

    threads = [threading.Thread(target=send) for _ in range(twins)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert sorted(a.status_code for a in answers) == [200] * (twins - 1) + [201]
    assert len({a.json()["id"] for a in answers}) == 1
    assert Job.objects.count() == 1
    assert Event.objects.filter(type="job.submitted").count() == 1
