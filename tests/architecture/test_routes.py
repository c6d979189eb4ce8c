"""Every address and websocket topic, asked by everybody: `route_table.py` is obeyed, and
nothing is outside it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.http.response import HttpResponseBase
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoDbBlocker

from jobs.models import SavedView
from orchestrator.topics import TOPIC_KINDS, grants_of, log_grant
from orchestrator.viewer import viewer_of
from projects.models import Project, Role
from providers.services import credential_set, provider_request
from tests.architecture.route_table import ADMIN_MODELS, PEOPLE, PUBLIC, ROUTES, TOPICS, row_of
from tests.support.attempts import make_attempt
from tests.support.builders import (
    make_actor,
    make_job,
    make_project,
    make_provider,
    make_spec,
    make_token,
    make_user,
)
from tests.support.routes import patterns
from tests.support.sessions import sign_in

pytestmark = pytest.mark.django_db
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


PATTERNS = sorted(set(patterns()))
ROWS = [(method, p) for p in PATTERNS for method in METHODS if row_of(method, p)]


@dataclass
class World:
    """What there is to ask for, and everybody who asks."""

    project: Project
    values: dict[str, Any]
    sessions: dict[str, str]
    """The keys of those who have signed in; a superuser, of whom the table has no column, too."""
    tokens: dict[str, str]

    def client(self, who: str) -> Client:
        """A fresh client of that person: a session, a token, or nothing."""
        client = Client(
            headers={"Authorization": f"Bearer {self.tokens[who]}"} if who in self.tokens else {}
        )
        if who in self.sessions:
            client.cookies[settings.SESSION_COOKIE_NAME] = self.sessions[who]
        return client


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[World]:
    """One for all tests: what a request does to it is taken back at once."""
    with django_db_blocker.unblock(), transaction.atomic():
        yield make_world()
        transaction.set_rollback(True)


def make_world() -> World:
    """A held job with an ended attempt, a provider, a request to its engine; seven people."""
    project = make_project("default")
    job = make_job(project=project, held=True, reason="held", attempt=1)
    provider = make_provider()
    attempt = make_attempt(phase="ended", job=job, provider=provider, ended_at=timezone.now())
    submitter = make_user(project=project, role=Role.SUBMITTER)
    people: dict[str, User | None] = {
        "anonymous": None,
        "stranger": make_user(project=make_project("elsewhere"), role=Role.ADMIN),
        "viewer": make_user(project=project, role=Role.VIEWER),
        "submitter": submitter,
        "admin": make_user(project=project, role=Role.ADMIN),
        "staff": make_user(staff=True),
        "token": make_user(project=project, role=Role.SUBMITTER),
    }
    owner = people["token"]
    assert owner is not None
    operator = make_actor(make_user(staff=True))
    request = provider_request(operator, provider.pk, "probe")
    values = {
        "job_id": job.pk,
        "number": attempt.number,
        "slug": project.slug,
        "provider_id": provider.pk,
        "request_id": request.pk,
        "view_id": SavedView.objects.create(owner=submitter, name="failed").pk,
        "user_id": submitter.pk,
        "login_id": credential_set(operator, provider.pk, **REGISTRY_LOGIN).pk,
    }
    make_user("guest")
    tokens = {"token": make_token(owner)}
    values["token_id"] = owner.api_tokens.get().pk
    signed_in = people | {"token": None, "superuser": make_user(superuser=True)}
    sessions = {who: sign_in(user) for who, user in signed_in.items() if user is not None}
    return World(project, values, sessions, tokens)


REGISTRY_LOGIN = {"registry": "ghcr.io", "username": "bot", "password": "secret"}
OBJECTS = {"jobs/job": "job_id", "providers/provider": "provider_id"}


def path_of(pattern: str, world: World) -> str:
    """The pattern with the ids of what is there; admin pages of other models get user 1's."""

    def value(match: re.Match[str]) -> str:
        name = match["name"]
        if name == "object_id" and pattern.startswith("admin/") and "admin/r/" not in pattern:
            model = "/".join(pattern.split("/")[1:3])
            return str(world.values.get(OBJECTS.get(model, ""), world.project.pk))
        return str(
            world.values.get(name, {"app_label": "jobs", "url": "no/such/page"}.get(name, 1))
        )

    return "/" + re.sub(r"<(?:\w+:)?(?P<name>\w+)>", value, pattern)


FORMS: dict[str, dict[str, Any]] = {
    "jobs/new": {
        "name": "job", "project": "default", "image": "sample:1", "program": "image",
        "cpu_cores": "1", "gpus": "0", "memory": "64", "memory_unit": "1", "timeout": "1",
        "timeout_unit": "60", "max_attempts": "1", "backoff": "10", "backoff_unit": "1",
        "priority": "50", "queue_timeout_unit": "60", "network": "bridge", "profile": "standard",
    },
    "jobs/views": {"name": "mine", "q": "state:failed"},
    "jobs/views/<int:view_id>/rename": {"name": "broken"},
    "providers/new": {"name": "another"},
    "seen": {"until": "2026-01-31T12:00:00+00:00"},
    "providers/<int:provider_id>/edit": {"name": "another", "slots": "3"},
    "projects/<slug:slug>/edit": {"weight": "200", "running": "3"},
    "projects/<slug:slug>/pause": {"note": "the file server is down"},
    "projects/<slug:slug>/members": {"user": "guest", "role": "viewer"},
    "projects/<slug:slug>/members/<int:user_id>/role": {"role": "viewer"},
    "settings/tokens": {"name": "nightly import", "lifetime": "30"},
    "_/preferences": {"density": "compact"},
    "providers/<int:provider_id>/mode": {"mode": "draining"},
    "providers/<int:provider_id>/logins": REGISTRY_LOGIN,
}  # fmt: skip
QUERIES = {
    ("POST", "providers/new"): "?kind=docker",
    ("GET", "providers/<int:provider_id>/mode"): "?to=draining",
    ("GET", "_/providers/<int:provider_id>/mode"): "?to=draining",
}
BODIES: dict[str, Any] = {
    "api/v1/jobs": make_spec(),
    "api/v1/jobs/bulk": {"jobs": [make_spec()]},
    "api/v1/jobs/dry-run": make_spec(),
    "api/v1/jobs/<int:job_id>/reprioritise": {"priority": 80},
    "api/v1/jobs/<int:job_id>/move": {"provider": None},
    "api/v1/providers": {"name": "another", "kind": "docker"},
    "api/v1/providers/<int:provider_id>": {"slots": 3},
    "api/v1/projects": {"slug": "another"},
    "api/v1/projects/<slug:slug>/limits": {"running": 3},
    "api/v1/projects/<slug:slug>/pause": {"note": "the file server is down"},
}


def ask(client: Client, method: str, pattern: str, world: World) -> HttpResponseBase:
    """The request that the route is there for."""
    path = path_of(pattern, world) + QUERIES.get((method, pattern), "")
    if pattern.startswith("api/"):
        body = BODIES.get(pattern) if method in ("POST", "PATCH") else None
        data = json.dumps(body) if body is not None else ""
        return client.generic(method, path, data, content_type="application/json")
    if method == "POST":
        return client.post(path, FORMS.get(pattern, {}))
    return client.generic(method, path)


def outcome(method: str, pattern: str, response: HttpResponseBase) -> str:
    """The response in the table's words."""
    location = response.headers.get("Location", "")
    way_back = (response.status_code, location) == (302, "/admin/")
    is_admin = pattern.startswith("admin/") and pattern not in ("admin/", "admin/login/")
    if is_admin and method == "GET" and (way_back or response.status_code == 403):
        return "denied"
    if response.status_code == 302 and re.match(r"/(admin/)?login/?\?", location):
        return "login"
    return "ok" if response.status_code < 400 else str(response.status_code)


@pytest.mark.parametrize(("method", "pattern"), ROWS)
def test_everybody_gets_what_the_table_says(method: str, pattern: str, world: World) -> None:
    row = row_of(method, pattern)
    assert row is not None
    expected = dict(zip(PEOPLE, row.split(), strict=True))
    got = {}
    for who in PEOPLE:
        client = world.client(who)
        with transaction.atomic():
            got[who] = outcome(method, pattern, ask(client, method, pattern, world))
            transaction.set_rollback(True)
    assert got == expected


def test_every_address_has_a_row() -> None:
    without = [p for p in PATTERNS if not any(row_of(method, p) for method in METHODS)]
    assert without == [], "add rows for these"


# The admin's pages take POST where they show a form, with the rights of the form.
@pytest.mark.parametrize("pattern", [p for p in PATTERNS if not p.startswith("admin/")])
def test_no_method_is_outside_the_table(pattern: str, world: World) -> None:
    """An address has a row for each method that it takes; a superuser tries the others
    (nobody does where anybody may: the login page would only lead a superuser on)."""
    client = world.client("anonymous" if row_of("GET", pattern) == PUBLIC else "superuser")
    for method in METHODS:
        if row_of(method, pattern) is None:
            with transaction.atomic():
                status = ask(client, method, pattern, world).status_code
                transaction.set_rollback(True)
            refused = (404,) if pattern == "api/" else (405,)
            assert status in refused, f"add a row for {method} {pattern!r}, which answers {status}"


def test_every_row_has_an_address() -> None:
    assert {pattern for _, pattern in ROUTES} <= set(PATTERNS)
    listed = {f"admin/{model}/" for model in ADMIN_MODELS}
    assert listed <= set(PATTERNS)


def test_every_kind_of_topic_has_a_row() -> None:
    assert set(TOPICS) == set(TOPIC_KINDS)


@pytest.mark.parametrize("kind", TOPICS)
def test_topics_are_granted_as_the_table_says(kind: str, world: World) -> None:
    expected = dict(zip(PEOPLE, TOPICS[kind].split(), strict=True))
    got = {who: "ok" if _hears(world, who, kind) else "no" for who in PEOPLE}
    assert got == expected


def _hears(world: World, who: str, kind: str) -> bool:
    """True when this person's session (a token has none) is granted the topic."""
    session = world.client(who).session.session_key or ""
    viewer = viewer_of(session) if who not in world.tokens else viewer_of("")
    if viewer is None:
        return False
    if kind == "log":
        return log_grant(viewer, world.values["job_id"], world.values["number"]) is not None
    topic = {
        "job": f"job:{world.values['job_id']}",
        "jobs:project": f"jobs:{world.project.pk}",
        "provider": f"provider:{world.values['provider_id']}",
        "request": f"request:{world.values['request_id']}",
    }.get(kind, kind)
    return bool(grants_of(viewer, [topic]))
