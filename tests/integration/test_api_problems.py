"""Every refusal of the API is a problem document that says what to do."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.db import OperationalError, connection
from django.test import Client

from jobs import selectors
from orchestrator.problems import TITLES, WHAT_TO_DO, statuses
from projects.http import MAX_BODY_BYTES
from tests.support.builders import bearer, make_project, make_spec, make_user

pytestmark = pytest.mark.django_db
FIELDS = {"type", "title", "status", "detail", "instance", "code", "errors", "request_id"}


@pytest.fixture
def ada() -> dict[str, str]:
    """The headers of a submitter in the default project."""
    return bearer(make_user("ada", project=make_project("default")))


def check(response: Any, status: int, code: str) -> dict[str, Any]:
    """The problem, which is whole and of that kind."""
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    assert response["Cache-Control"] == "no-store"
    body: dict[str, Any] = response.json()
    assert body.keys() == FIELDS
    assert (body["status"], body["code"]) == (status, code)
    assert body["title"] == TITLES[code]
    assert body["type"] == f"/api/v1/problems#{code}"
    assert body["request_id"] == response["X-Request-Id"]
    return body


def send(
    client: Client, body: bytes, headers: dict[str, str], kind: str = "application/json"
) -> Any:
    return client.post("/api/v1/jobs", data=body, content_type=kind, **headers)  # type: ignore[arg-type]


@pytest.mark.parametrize("path", ["/api/v1/nothing", "/api/v2/jobs", "/api/", "/api/v1/jobs/"])
@pytest.mark.parametrize("method", ["get", "post", "delete"])
def test_an_unknown_address_is_a_problem_whatever_the_method(
    client: Client, path: str, method: str
) -> None:
    body = check(getattr(client, method)(path), 404, "not_found")
    assert body["instance"] == path


def test_a_wrong_method_says_which_are_right(client: Client, ada: dict[str, str]) -> None:
    response = client.put("/api/v1/jobs", **ada)  # type: ignore[arg-type]
    check(response, 405, "method_not_allowed")
    assert {m.strip() for m in response["Allow"].split(",")} >= {"GET", "POST"}


def test_head_answers_like_get_without_a_body(client: Client, ada: dict[str, str]) -> None:
    response = client.head("/api/v1/jobs", **ada)  # type: ignore[arg-type]
    assert (response.status_code, response.content) == (200, b"")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"name": NaN}',
        b'{"name": Infinity}',
        b'{"a": 1, "a": 2}',
        b"\xff\xfe",
        b'"\xed\xa0\x80"',
        b"[" * 100_000,
        b'{"a": ' + b"9" * 5000 + b"}",
    ],
)
def test_a_body_that_is_not_json_is_refused(
    client: Client, ada: dict[str, str], body: bytes
) -> None:
    check(send(client, body, ada), 400, "bad_request")


@pytest.mark.parametrize("body", [b"[]", b"null", b"1", b'"text"', b"true"])
def test_json_that_is_no_object_is_refused(
    client: Client, ada: dict[str, str], body: bytes
) -> None:
    problem = check(send(client, body, ada), 422, "invalid")
    assert problem["errors"][0]["pointer"] == ""


def test_a_body_that_is_too_large_is_refused_unread(client: Client, ada: dict[str, str]) -> None:
    check(send(client, b" " * (MAX_BODY_BYTES + 1), ada), 413, "too_large")
    check(send(client, b" " * 3_000_000, ada), 413, "too_large")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_a_body_of_another_kind_is_refused(client: Client, ada: dict[str, str], kind: str) -> None:
    check(send(client, json.dumps(make_spec()).encode(), ada, kind), 415, "unsupported_media_type")


def test_a_bug_is_answered_without_its_traceback_and_logged_with_its_request(
    client: Client,
    ada: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("the inner workings")

    monkeypatch.setattr(selectors, "make_cursor", broken)
    monkeypatch.setattr("jobs.api.job_page", broken)
    with caplog.at_level(logging.ERROR, logger="gantry.api"):
        body = check(client.get("/api/v1/jobs", **ada), 500, "internal")  # type: ignore[arg-type]
    assert "inner workings" not in json.dumps(body)
    assert "inner workings" in caplog.text


@pytest.mark.parametrize("words", ["could not extend file: No space left", "it is shutting down"])
def test_a_database_without_room_or_without_an_answer_is_no_bug_and_may_be_asked_again(
    client: Client,
    ada: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    words: str,
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OperationalError(words)

    monkeypatch.setattr("jobs.api.job_page", refused)
    with caplog.at_level(logging.ERROR, logger="gantry.api"):
        response = client.get("/api/v1/jobs", **ada)  # type: ignore[arg-type]
    body = check(response, 503, "unavailable")
    assert response["Retry-After"] == "2"
    assert "has no room" in body["detail"]
    assert words not in body["detail"]
    assert words in caplog.text


@pytest.mark.django_db(transaction=True)
def test_a_database_that_takes_no_writes_is_no_bug_and_may_be_asked_again(
    client: Client, ada: dict[str, str]
) -> None:
    spec = {"name": "late", "image": "busybox", "command": ["true"]}
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
    try:
        response = client.post("/api/v1/jobs", spec, content_type="application/json", **ada)  # type: ignore[arg-type]
    finally:
        connection.close()
    assert "takes no changes" in check(response, 503, "unavailable")["detail"]


def test_what_breaks_before_an_operation_is_a_problem_too(
    client: Client, ada: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    check(client.get("/api/v1/jobs", headers={"host": "evil.example"}, **ada), 400, "bad_request")  # type: ignore[arg-type]

    def broken(*_: object) -> None:
        raise RuntimeError("the inner workings")

    monkeypatch.setattr(LoginRequiredMiddleware, "process_view", broken)
    response = Client(raise_request_exception=False).get("/api/v1/jobs", **ada)  # type: ignore[arg-type]
    body = check(response, 500, "internal")
    assert "inner workings" not in json.dumps(body)


def test_the_docs_explain_every_code(client: Client) -> None:
    client.force_login(make_user(project=make_project("default")))
    page = client.get("/api/v1/docs").content.decode()
    for code in TITLES:
        assert f'id="problem-{code}"' in page


def test_whoever_is_refused_may_read_what_it_means_and_nothing_else(client: Client) -> None:
    refused = client.get("/api/v1/jobs").json()
    where, _, anchor = refused["type"].partition("#")
    response = client.get(where)
    page = response.content.decode()
    assert (response.status_code, anchor) == (200, "unauthenticated")
    for code, status in statuses().items():
        assert f'<dt id="{code}"><code>{status} {code}</code>' in page
        assert TITLES[code] in page
    assert statuses().keys() == TITLES.keys() == WHAT_TO_DO.keys()
    assert "/api/v1/jobs/" not in page
    client.force_login(make_user(project=make_project("default")))
    assert 'aria-label="Pages"' not in page
    assert 'aria-label="Pages"' in client.get(where).content.decode()
