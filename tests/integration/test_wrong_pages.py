"""The pages of what went wrong: inside the frame, why, what to do, and the number to quote."""

from __future__ import annotations

import asyncio
import io
import json
import re
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from orchestrator import views_home
from orchestrator.admission import Admission
from orchestrator.refusal import Refusal
from orchestrator.web_handler import WebHandler
from projects.models import InstanceSettings, Role
from tests.support.asgi import requested
from tests.support.builders import make_job, make_project, make_user
from tests.support.pages import signed_in, words_of

pytestmark = pytest.mark.django_db


def page(browser: Client, url: str, status: int, **more: Any) -> str:
    response = browser.get(url, headers={"X-Request-Id": "my-request-1"}, **more)
    assert response.status_code == status
    assert response["X-Request-Id"] == "my-request-1"
    words = words_of(response)
    assert "Request my-request-1" in words
    return words


def test_a_form_beyond_what_is_read_promises_nothing_of_what_was_typed(settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 2**20
    browser = signed_in(make_user(project=make_project("default")))
    response = browser.post("/jobs/new", {"name": "x" * 2**21})
    words = words_of(response)
    assert (response.status_code, "This form is too large" in words) == (400, True)
    assert "Nothing was changed." in words
    assert "may have kept only part of what you typed" in words


def test_a_missing_job_says_what_may_have_become_of_it() -> None:
    InstanceSettings.objects.update(job_retention_days=45)
    browser = signed_in(make_user("ada", project=make_project("etl")))
    foreign = make_job(project=make_project("secret"), name="nightly")
    for url in ("/jobs/987654", f"/jobs/{foreign.pk}", f"/jobs/{foreign.pk}?tab=spec"):
        words = page(browser, url, 404)
        assert "kept for 45 days after its end" in words
        assert "a project that you are no member of" in words
        assert "nightly" not in words
        assert "Settings" in words  # the frame, with its way to everywhere else


def test_whoever_is_not_signed_in_finds_nothing_out_but_the_way_in(client: Client) -> None:
    words = page(client, "/nowhere", 404)
    assert "There is no such page" in words
    assert "Providers" not in words


def test_what_is_refused_says_whom_to_ask_inside_the_frame() -> None:
    vera = make_user("vera", project=make_project("etl"), role=Role.VIEWER)
    words = page(signed_in(vera), "/jobs/new", 403)
    assert "You may not do that" in words
    assert "Ask one of its admins" in words
    assert "vera" in words


def test_a_refusal_is_one_line_in_the_log_with_its_time_and_the_number_that_its_page_shows(
    console: io.StringIO,
) -> None:
    vera = signed_in(make_user("vera", project=make_project("etl"), role=Role.VIEWER))
    for url, status in (("/jobs/new", 403), ("/jobs/987654", 404), ("/jobs?cursor=x", 400)):
        console.truncate(console.seek(0))
        page(vera, url, status)
        (line,) = console.getvalue().splitlines()
        assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ WARNING django.request ", line)
        assert line.endswith("(request my-request-1)")


def test_what_cannot_be_read_says_what_is_wrong_with_it() -> None:
    browser = signed_in(make_user("ada", project=make_project("etl")))
    assert "The cursor is not valid" in page(browser, "/jobs?cursor=x", 400)


def test_a_broken_page_asks_the_database_nothing_and_keeps_its_frame(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = CaptureQueriesContext(connection)

    def broken(_: object) -> bool:
        asked.__enter__()
        raise RuntimeError("secret internals")

    monkeypatch.setattr(views_home, "has_run", broken)
    browser = signed_in(make_user("ada", project=make_project("etl")))
    browser.raise_request_exception = False
    try:
        words = page(browser, "/?view=mine", 500)
    finally:
        asked.__exit__(None, None, None)
    assert len(asked) == 0
    assert "Something broke on our side" in words
    assert "Try again" in words
    assert "Settings" in words


def test_a_page_that_breaks_before_it_is_known_who_asks_stands_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("no database")

    monkeypatch.setattr("django.contrib.auth.middleware.get_user", broken)
    browser = signed_in(make_user("ada"))
    browser.raise_request_exception = False
    assert "Something broke on our side" in page(browser, "/jobs", 500)


def test_a_page_without_its_database_says_so_and_that_jobs_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refused(_: object) -> bool:
        raise OperationalError("connection refused")

    monkeypatch.setattr(views_home, "has_run", refused)
    browser = signed_in(make_user("ada"))
    browser.raise_request_exception = False
    words = page(browser, "/", 503)
    assert "The database does not answer" in words
    assert "Jobs that run go on meanwhile" in words


def test_a_part_of_a_page_is_refused_in_a_line_of_text() -> None:
    response = signed_in(make_user("ada")).get("/_/jobs/987654/header")
    assert response.status_code == 404
    assert response["Content-Type"].startswith("text/plain")
    assert "<" not in response.content.decode()


def test_the_way_in_says_where_it_leads_and_what_was_wrong(client: Client) -> None:
    assert "You will go on to /jobs/7" in words_of(client.get("/login?next=/jobs/7"))
    form = {"username": "ada", "password": "guess", "next": "/jobs/7"}
    refused = client.post("/login", form)
    assert 'role="alert"' in refused.content.decode()
    assert 'name="next" value="/jobs/7"' in refused.content.decode()


def refused(path: str, accept: str, method: str = "GET") -> tuple[dict[str, str], str]:
    """What the door of a web process answers that has no room: headers and body."""

    async def asked() -> tuple[dict[str, str], str]:
        door = Admission(WebHandler(), Refusal(), most=0)
        given = {"Accept": accept, "X-Request-Id": "my-request-1"}
        async with requested(path, headers=given, application=door, method=method) as reply:
            assert reply.status == 503
            return reply.headers, (await reply.read_all()).decode()

    headers, body = asyncio.run(asked())
    assert int(headers["retry-after"]) > 0
    assert headers["cache-control"] == "no-store"
    assert headers["x-request-id"] == "my-request-1"
    return headers, body


def test_a_browser_that_is_not_let_in_gets_a_page_with_the_way_to_try_again(
    console: io.StringIO,
) -> None:
    headers, body = refused("/jobs", "text/html,application/xhtml+xml,*/*;q=0.8")
    assert "GET '/jobs' is not let in: too busy (request my-request-1)" in console.getvalue()
    assert "default-src 'self'" in headers["content-security-policy"]
    assert headers["x-frame-options"] == "DENY"
    assert "Gantry is busy" in body
    assert "my-request-1" in body
    assert '<a class="btn primary" href="/jobs">' in " ".join(body.split())
    _, sent = refused("/jobs/new", "text/html", "POST")
    assert "Nothing of what you sent was done." in sent


def test_a_program_that_is_not_let_in_gets_a_problem_or_a_line() -> None:
    headers, body = refused("/api/v1/jobs", "*/*")
    problem = json.loads(body)
    assert headers["content-type"] == "application/problem+json"
    assert (problem["status"], problem["code"]) == (503, "unavailable")
    assert "Try again in a moment" in problem["detail"]
    assert problem["request_id"] == "my-request-1"
    headers, body = refused("/_/jobs/rows", "*/*")
    assert headers["content-type"].startswith("text/plain")
    assert "Gantry is busy" in body
