"""What the API does with providers and engine requests."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.models.functions import Now
from django.test import Client

from jobs.states import JobState
from projects.actor import SYSTEM
from projects.errors import Conflict, Forbidden, Invalid
from projects.models import Event
from projects.secrets import decrypt
from providers.models import EngineRequest, HealthState, Lease, Provider, RegistryCredential
from providers.services import credential_delete, credential_set, provider_create
from tests.support.attempts import make_attempt
from tests.support.builders import (
    bearer,
    make_actor,
    make_job,
    make_project,
    make_provider,
    make_user,
)

pytestmark = pytest.mark.django_db


class Api:
    """A client with one person's token."""

    def __init__(self, user: User) -> None:
        self._headers: dict[str, Any] = bearer(user)

    def __call__(self, method: str, path: str, body: object = None) -> Any:
        data = "" if body is None else json.dumps(body)
        return Client().generic(
            method, f"/api/v1{path}", data, content_type="application/json", **self._headers
        )


@pytest.fixture
def staff() -> Api:
    """An operator who belongs to no project."""
    return Api(make_user("olga", staff=True))


@pytest.fixture
def member() -> Api:
    """A submitter, no operator."""
    return Api(make_user("ada", project=make_project("default")))


NEW = {"name": "north", "kind": "docker", "options": {"base_url": "tcp://north:2375"}}


def events() -> list[tuple[str, str, str]]:
    rows = Event.objects.filter(subject_kind="provider").order_by("pk")
    return [(e.type, e.source, e.target) for e in rows]


def test_an_operator_registers_changes_and_removes_a_provider(staff: Api) -> None:
    made = staff("POST", "/providers", NEW | {"cpu_millis": 1500})
    assert made.status_code == 201, made.content
    path = made["Location"].removeprefix("/api/v1")
    assert staff("GET", path).json() == made.json()
    assert (made.json()["health"], made.json()["cpu_millis"]) == ("unknown", 1500)
    changed = staff("PATCH", path, {"slots": 2, "labels": {"zone": "a"}}).json()
    assert (changed["slots"], changed["labels"], changed["name"]) == (2, {"zone": "a"}, "north")
    assert staff("PATCH", path, {"slots": None}).json()["slots"] is None
    for action, mode in (("drain", "draining"), ("deactivate", "inactive"), ("activate", "active")):
        answer = staff("POST", f"{path}/{action}")
        assert (answer.status_code, answer.json()["mode"]) == (200, mode)
    assert staff("DELETE", path).status_code == 204
    assert staff("GET", path).status_code == 404
    assert staff("POST", "/providers", NEW).status_code == 201
    assert events() == [
        ("provider.created", "", ""),
        ("provider.updated", "", ""),
        ("provider.updated", "", ""),
        ("provider.mode", "active", "draining"),
        ("provider.mode", "draining", "inactive"),
        ("provider.mode", "inactive", "active"),
        ("provider.deleted", "", ""),
        ("provider.created", "", ""),
    ]


def test_asking_for_the_mode_that_is_set_changes_nothing(staff: Api) -> None:
    provider = make_provider()
    before = provider.rev
    assert staff("POST", f"/providers/{provider.pk}/activate").json()["rev"] == before
    assert events() == []


def test_a_name_is_taken_only_once(staff: Api) -> None:
    make_provider("north")
    other = make_provider("south")
    assert staff("POST", "/providers", NEW).status_code == 409
    refused = staff("PATCH", f"/providers/{other.pk}", {"name": "north"})
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    other.refresh_from_db()
    assert other.name == "south"


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"name": ""}, "/name"),
        ({"name": "a b"}, "/name"),
        ({"kind": "vm"}, "/kind"),
        ({"options": {"base_url": "ftp://x"}}, "/options/base_url"),
        ({"options": {"base_url": "ssh://root@x"}}, "/options/base_url"),
        ({"options": {"tls_ca": "ca.pem"}}, "/options/tls_ca"),
        ({"options": {"volumes": ["/:/host"]}}, "/options/volumes"),
        ({"slots": 0}, "/slots"),
        ({"slots": True}, "/slots"),
        ({"memory_mb": 2**31}, "/memory_mb"),
        ({"cpu_millis": -1}, "/cpu_millis"),
        ({"mount_allow_list": ["/"]}, "/mount_allow_list/0"),
        ({"mount_allow_list": ["/a/../b"]}, "/mount_allow_list/0"),
        ({"labels": {"gantry.x": "1"}}, "/labels/gantry.x"),
        ({"health": "healthy"}, "/health"),
    ],
)
def test_a_wrong_field_is_named(staff: Api, change: dict[str, Any], pointer: str) -> None:
    refused = staff("POST", "/providers", NEW | change)
    assert refused.status_code == 422, refused.content
    assert [e["pointer"] for e in refused.json()["errors"]] == [pointer]
    assert not Provider.objects.exists()


def test_the_fake_kind_needs_leave(settings: Any) -> None:
    settings.ALLOW_FAKE_DRIVER = False
    with pytest.raises(Invalid, match="/kind"):
        provider_create(SYSTEM, name="fake", kind="fake")


def test_members_see_providers_but_not_how_they_are_reached(member: Api, staff: Api) -> None:
    provider = make_provider(options={"memory_mb": 9})
    assert member("GET", f"/providers/{provider.pk}").json()["options"] is None
    assert staff("GET", f"/providers/{provider.pk}").json()["options"] == {"memory_mb": 9}
    facts = {"Address": "/run/docker.sock", "Kernel": "6.1"}
    type(provider).objects.filter(pk=provider.pk).update(facts=facts)
    assert member("GET", f"/providers/{provider.pk}").json()["facts"] == {"Kernel": "6.1"}
    assert staff("GET", f"/providers/{provider.pk}").json()["facts"] == facts
    assert [p["id"] for p in member("GET", "/providers").json()["items"]] == [provider.pk]


def test_members_may_not_manage_providers(member: Api) -> None:
    provider = make_provider()
    path = f"/providers/{provider.pk}"
    tried = [("POST", "/providers", NEW), ("PATCH", path, {"slots": 1}), ("DELETE", path, None)]
    tried += [("POST", f"{path}/{a}", None) for a in ("activate", "deactivate", "drain", "probe")]
    for method, where, body in tried:
        assert member(method, where, body).status_code == 403, (method, where)
    assert events() == []


def test_somebody_without_a_project_sees_no_providers() -> None:
    stranger, provider = Api(make_user()), make_provider()
    assert stranger("GET", "/providers").json()["items"] == []
    assert stranger("GET", f"/providers/{provider.pk}").status_code == 404


def test_what_live_attempts_hold_is_counted_and_what_ended_is_not(member: Api) -> None:
    provider, idle = make_provider(), make_provider()
    for phase in ("placed", "running", "ended"):
        make_attempt(phase=phase, provider=provider)
    shown = {p["id"]: p["used"] for p in member("GET", "/providers").json()["items"]}
    assert shown[provider.pk] == {"running": 2, "cpu_millis": 2000, "memory_mb": 1024, "gpus": 0}
    assert shown[idle.pk]["running"] == 0


def test_a_provider_with_live_attempts_is_not_removed(staff: Api) -> None:
    provider = make_provider()
    job = make_job(state=JobState.RUNNING, provider=provider)
    make_attempt(job=job, provider=provider)
    refused = staff("DELETE", f"/providers/{provider.pk}")
    assert refused.status_code == 409
    assert "1 attempt " in refused.json()["detail"]
    assert staff("GET", f"/providers/{provider.pk}").status_code == 200


def test_providers_are_listed_page_by_page(staff: Api) -> None:
    ids = [make_provider().pk for _ in range(5)]
    seen, query = [], "limit=2"
    while query:
        body = staff("GET", f"/providers?{query}").json()
        seen += [p["id"] for p in body["items"]]
        query = f"limit=2&cursor={body['next_cursor']}" if body["next_cursor"] else ""
    assert seen == ids


def alive(seconds: int = 10) -> None:
    """An engine process holds a lease for so long."""
    expires = Now() + timedelta(seconds=seconds)
    Lease.objects.create(name="scheduler", holder="h", expires_at=expires, acquired_at=Now())


def aged(request_id: int, seconds: int) -> None:
    made = Now() - timedelta(seconds=seconds)
    EngineRequest.objects.filter(pk=request_id).update(created_at=made)


def test_a_probe_is_accepted_and_followed_at_its_own_address(staff: Api) -> None:
    alive()
    provider = make_provider()
    asked = staff("POST", f"/providers/{provider.pk}/probe")
    assert asked.status_code == 202
    path = asked["Location"].removeprefix("/api/v1")
    assert staff("GET", path).json() == asked.json()
    assert (asked.json()["status"], asked.json()["kind"]) == ("waiting", "probe")
    again = staff("POST", f"/providers/{provider.pk}/probe")
    assert again.json()["id"] == asked.json()["id"]
    EngineRequest.objects.update(status="done", result={"message": "Healthy."}, finished_at=Now())
    body = staff("GET", path).json()
    assert (body["status"], body["message"]) == ("done", "Healthy.")


def test_after_five_seconds_without_an_engine_process_the_request_says_so(staff: Api) -> None:
    asked = staff("POST", f"/providers/{make_provider().pk}/probe").json()

    def message() -> str:
        return str(staff("GET", f"/engine-requests/{asked['id']}").json()["message"])

    aged(asked["id"], 4)
    assert message() == "Waiting for an engine process."
    aged(asked["id"], 6)
    assert message() == "No engine process is running."
    alive(seconds=-1)
    assert message() == "No engine process is running."
    Lease.objects.update(expires_at=Now() + timedelta(seconds=10))
    assert message() == "Waiting for an engine process."


def test_a_request_past_its_deadline_reads_as_expired(staff: Api) -> None:
    alive()
    asked = staff("POST", f"/providers/{make_provider().pk}/probe").json()
    EngineRequest.objects.update(deadline=Now() - timedelta(seconds=1), status="working")
    body = staff("GET", f"/engine-requests/{asked['id']}").json()
    assert (body["status"], body["message"]) == ("expired", "Not answered in time.")


def test_an_engine_request_is_for_operators_and_its_author(staff: Api, member: Api) -> None:
    asked = staff("POST", f"/providers/{make_provider().pk}/probe").json()
    assert member("GET", f"/engine-requests/{asked['id']}").status_code == 404
    assert Api(make_user(staff=True))("GET", f"/engine-requests/{asked['id']}").status_code == 200


def test_a_registry_login_is_sealed_replaced_and_forgotten() -> None:
    operator = make_actor(make_user(staff=True))
    provider = make_provider(health=HealthState.HEALTHY)
    for password in ("first", "second"):
        credential_set(operator, provider.pk, registry="reg:5000", username="u", password=password)
    credential = RegistryCredential.objects.get()
    assert decrypt(credential.secret) == b"second"
    assert b"second" not in bytes(credential.secret)
    assert "second" not in str(list(Event.objects.values()))
    credential_delete(operator, provider.pk, credential.pk)
    assert not RegistryCredential.objects.exists()


def test_members_may_not_set_registry_logins() -> None:
    member = make_actor(make_user(project=make_project()))
    with pytest.raises(Forbidden):
        credential_set(member, make_provider().pk, registry="r", username="u", password="p")


def test_a_taken_name_is_a_conflict_for_every_caller() -> None:
    provider_create(SYSTEM, name="one", kind="fake")
    with pytest.raises(Conflict):
        provider_create(SYSTEM, name="one", kind="fake")
