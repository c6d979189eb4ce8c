"""What the API does with jobs."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db.models import F
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from jobs.models import Job
from jobs.queue_models import QueueClass
from jobs.states import JobState
from projects.models import Event, Membership, Role
from projects.secrets import open_values
from tests.support.attempts import make_attempt
from tests.support.builders import (
    bearer,
    make_job,
    make_project,
    make_provider,
    make_spec,
    make_user,
)

pytestmark = pytest.mark.django_db
Answer = HttpResponse


def post(client: Client, path: str, body: object = None, **headers: Any) -> Any:
    return client.post(
        f"/api/v1{path}",
        data="" if body is None else json.dumps(body),
        content_type="application/json",
        **headers,
    )


def get(client: Client, path: str, **headers: Any) -> Any:
    return client.get(f"/api/v1{path}", **headers)


@pytest.fixture
def ada() -> dict[str, str]:
    """The headers of a submitter in the default project."""
    return bearer(make_user("ada", project=make_project("default")))


def test_a_submitted_job_is_answered_with_its_state_and_reason_in_words(
    client: Client, ada: dict[str, str]
) -> None:
    response = post(client, "/jobs", make_spec(name="report"), **ada)
    assert response.status_code == 201, response.content
    job = response.json()
    assert (job["state"], job["reason"]) == ("pending", "queued")
    assert job["reason_text"] == "Waiting for the scheduler's next look."
    assert (job["project"], job["submitted_by"]) == ("default", "ada")
    assert response["Location"] == f"/api/v1/jobs/{job['id']}"
    spec = get(client, f"/jobs/{job['id']}", **ada).json()["spec"]
    assert list(spec)[:4] == ["spec_version", "project", "name", "image"]  # in the written order
    assert get(client, f"/jobs/{job['id']}", **ada).json() == job


def test_submitting_and_reading_a_job_take_few_queries(
    client: Client, ada: dict[str, str], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    post(client, "/jobs", make_spec(), **ada)  # the token's first use is noted once a minute
    with django_assert_num_queries(9):
        # token and roles; project; begin, limits, class, job and event, two notices, commit
        job = post(client, "/jobs", make_spec(), **ada).json()
    with django_assert_num_queries(2):
        get(client, f"/jobs/{job['id']}", **ada)
    for _ in range(5):
        post(client, "/jobs", make_spec(), **ada)
    with django_assert_num_queries(4):  # token and roles; which ids there are, which match, rows
        assert len(get(client, "/jobs", **ada).json()["items"]) == 7


def test_secret_values_are_stored_sealed_and_shown_nowhere(
    client: Client, ada: dict[str, str]
) -> None:
    response = post(client, "/jobs", make_spec(secret_env={"KEY": "s3cret-value"}), **ada)
    job = Job.objects.get(pk=response.json()["id"])
    assert response.json()["spec"]["secret_env_names"] == ["KEY"]
    assert open_values(job.secrets) == {"KEY": "s3cret-value"}
    everything = [
        response.content,
        get(client, f"/jobs/{job.pk}", **ada).content,
        get(client, f"/jobs/{job.pk}/events", **ada).content,
        json.dumps(job.spec).encode(),
        bytes(job.secrets or b""),
    ]
    assert not any(b"s3cret-value" in text for text in everything)


def test_an_unchanged_job_is_not_sent_again(client: Client, ada: dict[str, str]) -> None:
    job = make_job()
    first = get(client, f"/jobs/{job.pk}", **ada)
    again = get(client, f"/jobs/{job.pk}", HTTP_IF_NONE_MATCH=first["ETag"], **ada)
    assert (again.status_code, again.content) == (304, b"")
    told = QueueClass.objects.filter(jobs=job)
    told.update(reason="no_provider", rev=F("rev") + 1)
    why = get(client, f"/jobs/{job.pk}", HTTP_IF_NONE_MATCH=first["ETag"], **ada)
    assert (why.status_code, why.json()["reason"]) == (200, "no_provider")
    post(client, f"/jobs/{job.pk}/cancel", **ada)
    changed = get(client, f"/jobs/{job.pk}", HTTP_IF_NONE_MATCH=first["ETag"], **ada)
    assert changed.json()["state"] == "cancelled"


def test_a_held_job_runs_once_it_is_executed(client: Client, ada: dict[str, str]) -> None:
    job = post(client, "/jobs", make_spec(hold=True), **ada).json()
    assert (job["held"], job["reason"]) == (True, "held")
    released = post(client, f"/jobs/{job['id']}/execute", **ada)
    assert released.status_code == 200
    assert (released.json()["held"], released.json()["reason"]) == (False, "queued")
    again = post(client, f"/jobs/{job['id']}/execute", **ada)
    assert (again.status_code, again.json()["code"]) == (409, "conflict")


def test_a_waiting_job_is_cancelled_at_once_and_says_by_whom(
    client: Client, ada: dict[str, str]
) -> None:
    job = make_job()
    response = post(client, f"/jobs/{job.pk}/cancel", **ada)
    assert response.status_code == 200
    assert response.json()["reason_text"] == "Cancelled by ada."


def test_cancelling_a_running_job_is_an_intent_and_asking_twice_changes_nothing(
    client: Client, ada: dict[str, str]
) -> None:
    job = make_job(state=JobState.RUNNING)
    first = post(client, f"/jobs/{job.pk}/cancel", **ada)
    assert (first.status_code, first.json()["state"]) == (202, "running")
    assert first.json()["cancel_requested_by"] == "ada"
    second = post(client, f"/jobs/{job.pk}/cancel", **ada)
    assert second.json() == first.json()


@pytest.mark.parametrize("state", ["completed", "failed", "cancelled"])
def test_a_job_that_has_ended_cannot_be_cancelled(
    client: Client, ada: dict[str, str], state: str
) -> None:
    job = make_job(state=state)
    response = post(client, f"/jobs/{job.pk}/cancel", **ada)
    assert response.status_code == 409
    assert response.json()["detail"] == f"Job {job.pk} has already ended: it is {state}."


def test_a_rerun_is_a_new_job_with_the_same_secrets_and_the_changes(
    client: Client, ada: dict[str, str]
) -> None:
    spec = make_spec(script="exit 3", secret_env={"A": "1", "B": "2"}, hold=True)
    first = post(client, "/jobs", spec, **ada).json()
    changes = {"command": ["true"], "priority": 80, "secret_env": {"B": "3"}}
    response = post(client, f"/jobs/{first['id']}/rerun", changes, **ada)
    assert response.status_code == 201, response.content
    second = response.json()
    assert second["id"] != first["id"]
    assert (second["rerun_of"], second["priority"], second["held"]) == (first["id"], 80, False)
    assert (second["spec"]["command"], second["spec"]["script"]) == (["true"], None)
    assert open_values(Job.objects.get(pk=second["id"]).secrets) == {"A": "1", "B": "3"}


def test_a_rerun_without_a_body_changes_nothing(client: Client, ada: dict[str, str]) -> None:
    first = post(client, "/jobs", make_spec(env={"A": "1"}), **ada).json()
    second = post(client, f"/jobs/{first['id']}/rerun", **ada).json()
    assert second["spec"] == first["spec"]


def test_a_wrong_spec_is_refused_with_a_pointer_for_every_field(
    client: Client, ada: dict[str, str]
) -> None:
    body = {"name": "", "image": "Bad Image", "resources": {"cpu_cores": "1"}, "nope": 1}
    response = post(client, "/jobs", body, **ada)
    assert response.status_code == 422
    assert response["Content-Type"] == "application/problem+json"
    found = {error["pointer"] for error in response.json()["errors"]}
    assert found == {"/name", "/image", "/resources/cpu_cores", "/nope"}


def test_a_project_that_one_may_not_see_is_no_project(client: Client, ada: dict[str, str]) -> None:
    make_project("other")
    for slug in ("other", "nowhere"):
        response = post(client, "/jobs", make_spec(project=slug), **ada)
        assert response.status_code == 422
        assert response.json()["errors"] == [
            {
                "pointer": "/project",
                "detail": f"There is no project {slug!r} that you can see.",
            }
        ]


def test_a_provider_that_is_not_there_is_named(client: Client, ada: dict[str, str]) -> None:
    response = post(client, "/jobs", make_spec(provider="gone"), **ada)
    assert [e["pointer"] for e in response.json()["errors"]] == ["/provider"]


def test_a_mount_needs_the_word_of_the_providers_administrator(
    client: Client, ada: dict[str, str]
) -> None:
    make_provider("disk", mount_allow_list=["/srv/data", "/srv/out:rw"])

    def pointers(
        source: str, *, read_only: bool = True, provider: str | None = "disk"
    ) -> list[str]:
        mount = {"source": source, "target": "/in", "read_only": read_only}
        body = make_spec(mounts=[mount], provider=provider)
        return [e["pointer"] for e in post(client, "/jobs", body, **ada).json().get("errors", [])]

    assert pointers("/srv/data/set-1") == []
    assert pointers("/srv/out", read_only=False) == []
    assert pointers("/srv/data", read_only=False) == ["/mounts/0/source"]
    assert pointers("/srv/database") == ["/mounts/0/source"]
    assert pointers("/srv/data", provider=None) == []
    make_provider("without")
    assert pointers("/srv/data", provider=None) == ["/mounts/0/source"]


def test_attempts_are_listed_with_the_time_each_phase_began(
    client: Client, ada: dict[str, str]
) -> None:
    job = make_job(state=JobState.RUNNING)
    assert job.provider is not None
    make_attempt(job=job, provider=job.provider, phase="ended", number=1)
    make_attempt(job=job, provider=job.provider, number=2, running_at=timezone.now())
    body = get(client, f"/jobs/{job.pk}/attempts", **ada).json()
    assert [(a["number"], a["phase"]) for a in body["items"]] == [(1, "ended"), (2, "running")]
    assert body["items"][1]["phases"]["running"] is not None
    assert body["items"][1]["provider"] == job.provider.name


def test_events_tell_who_did_what_through_what_page_by_page(
    client: Client, ada: dict[str, str]
) -> None:
    job = post(client, "/jobs", make_spec(hold=True), HTTP_X_REQUEST_ID="abcdefgh", **ada).json()
    post(client, f"/jobs/{job['id']}/execute", **ada)
    post(client, f"/jobs/{job['id']}/cancel", **ada)
    seen, path = [], f"/jobs/{job['id']}/events?limit=2"
    body = get(client, path, **ada).json()
    seen += body["items"]
    body = get(client, f"{path}&cursor={body['next_cursor']}", **ada).json()
    seen += body["items"]
    assert [event["type"] for event in seen] == ["job.submitted", "job.released", "job.cancelled"]
    assert {(event["actor_kind"], event["actor"], event["via"]) for event in seen} == {
        ("token", "ada", "api")
    }
    assert seen[0]["request_id"] == "abcdefgh"
    assert body["next_cursor"] is None


def test_a_viewer_reads_and_may_change_nothing(client: Client) -> None:
    project = make_project("default")
    viewer = bearer(make_user(project=project, role=Role.VIEWER))
    job = make_job(project=project)
    assert get(client, f"/jobs/{job.pk}", **viewer).status_code == 200
    for action in ("execute", "cancel", "rerun"):
        refused = post(client, f"/jobs/{job.pk}/{action}", **viewer)
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert post(client, "/jobs", make_spec(), **viewer).status_code == 403
    assert Job.objects.count() == 1
    assert not Event.objects.filter(subject_kind="job").exists()


def test_somebody_elses_job_is_not_there(client: Client, ada: dict[str, str]) -> None:
    job = make_job(project=make_project("other"))
    for path in ("", "/attempts", "/events", "/logs"):
        assert get(client, f"/jobs/{job.pk}{path}", **ada).status_code == 404
    for action in ("execute", "cancel", "rerun"):
        assert post(client, f"/jobs/{job.pk}/{action}", **ada).status_code == 404
    assert get(client, "/jobs", **ada).json()["items"] == []


def test_a_member_who_was_removed_is_refused_at_the_next_request(client: Client) -> None:
    user = make_user(project=make_project("default"))
    headers, job = bearer(user), make_job()
    assert get(client, f"/jobs/{job.pk}", **headers).status_code == 200
    Membership.objects.filter(user=user).delete()
    assert get(client, f"/jobs/{job.pk}", **headers).status_code == 404


@pytest.mark.parametrize("job_id", ["0", "9223372036854775808", "9" * 300])
def test_a_number_that_no_job_can_have_is_not_found(
    client: Client, ada: dict[str, str], job_id: str
) -> None:
    response = get(client, f"/jobs/{job_id}", **ada)
    assert (response.status_code, response.json()["code"]) == (404, "not_found")


def test_a_changed_rerun_takes_secrets_only_for_who_gave_them_or_an_admin(
    client: Client, ada: dict[str, str]
) -> None:
    project = make_project("default")
    first = post(client, "/jobs", make_spec(secret_env={"KEY": "hidden away"}), **ada).json()
    changes = {"script": "echo $KEY | rev"}
    other = bearer(make_user("grace", project=project))
    refused = post(client, f"/jobs/{first['id']}/rerun", changes, **other)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "/secret_env"
    same = post(client, f"/jobs/{first['id']}/rerun", **other)
    assert same.status_code == 201
    again = post(client, f"/jobs/{same.json()['id']}/rerun", changes, **other)
    assert again.status_code == 422, "an unchanged rerun between does not make them grace's"
    anew = changes | {"secret_env": {"KEY": "their own"}}
    assert post(client, f"/jobs/{first['id']}/rerun", anew, **other).status_code == 201
    admin = bearer(make_user("root", project=project, role=Role.ADMIN))
    assert post(client, f"/jobs/{first['id']}/rerun", changes, **admin).status_code == 201
