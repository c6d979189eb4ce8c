"""What the API does with jobs."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from jobs.models import Job
from projects.models import Event, Role
from tests.support.builders import bearer, make_job, make_project, make_provider, make_spec, make_user

pytestmark = pytest.mark.django_db


def post(client: Client, path: str, body: Any = None, **headers: Any) -> Any:
    return client.post(
        f"/api/v1{path}",
        data="" if body is None else json.dumps(body),
        content_type="application/json",
        **headers,
    )


def test_a_submitted_job_is_answered_with_its_state_and_reason_in_words(client: Client) -> None:
    user = make_user(project=make_project("default"))
    response = post(client, "/jobs", make_spec(name="report"), **bearer(user))
    assert response.status_code == 201, response.content
    job = response.json()
    assert job["state"] == "pending"
    assert job["reason"] == "queued"
    assert job["reason_text"] == "Waiting for the scheduler's next look."
    assert job["project"] == "default"
    assert job["submitted_by"] == user.get_username()
    assert response["Location"] == f"/api/v1/jobs/{job['id']}"
    assert client.get(response["Location"], **bearer(user)).json() == job
