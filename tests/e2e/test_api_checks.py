"""The acceptance check of the API, with curl against a real web process."""

from __future__ import annotations

import html
import json
import re
import subprocess
import time
import urllib.request
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from jobs.models import Attempt, Job
from providers.models import EngineRequest, Provider
from tests.support.attempts import make_attempt
from tests.support.builders import make_job, make_provider, make_token, make_user
from tests.support.curl import have_curl, in_shell, ran
from tests.support.figures import tell
from tests.support.log_page import finish, write
from tests.support.sessions import sign_in
from tests.support.web import WebProcess

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

JOB, PROVIDER, REQUEST = 42, 1, 7  # of the page's examples
IDLE_SECONDS = 600
CODE = " -o /dev/null -w '%{http_code}'"


@pytest.fixture(autouse=True)
def curl() -> None:
    have_curl()


@pytest.fixture
def token() -> str:
    return make_token(make_user("ada", superuser=True))


def printed_lines(web: WebProcess) -> dict[str, str]:
    """The lines for a shell on the documentation's page, by the name of their operation."""
    cookie = f"{web.cookie}={sign_in(make_user('reader', superuser=True))}"
    asked = urllib.request.Request(f"{web.url}/api/v1/docs", headers={"Cookie": cookie})
    with urllib.request.urlopen(asked) as answer:
        page = answer.read().decode()
    pattern = r'<section class="card api-op"\s+id="([^"]+)".*?aria-label="In a shell">(.*?)</pre>'
    found = {name: html.unescape(line) for name, line in re.findall(pattern, page, re.S)}
    assert len(found) == page.count('aria-label="In a shell"') > 20
    return found


@pytest.fixture
def numbers_beyond_the_examples() -> None:
    """What is made from now on gets numbers that the examples do not use."""
    with connection.cursor() as cursor:
        for model in (Job, Provider, EngineRequest):
            sequence = f"pg_get_serial_sequence('{model._meta.db_table}', 'id')"
            cursor.execute(f"SELECT setval({sequence}, greatest(nextval({sequence}), 100))")


def ready_for(operation: str) -> None:
    """The job, the provider and the request of the examples, as this operation wants them."""
    Job.objects.all().delete()
    Provider.objects.all().delete()
    provider = make_provider(pk=PROVIDER)
    deadline = timezone.now() + timedelta(minutes=1)
    EngineRequest.objects.create(pk=REQUEST, provider=provider, kind="probe", deadline=deadline)
    match operation:
        case "jobs_api_job_execute" | "jobs_api_job_release":
            make_job(pk=JOB, held=True, reason="held")
        case "jobs_api_job_cancel" | "jobs_api_job_hold" | "jobs_api_job_reprioritise":
            make_job(pk=JOB)
        case "jobs_api_job_move":
            make_provider("build-host")
            make_job(pk=JOB)
        case "jobs_api_job_force_finish":
            job = make_job(pk=JOB, state="running", provider=provider)
            make_attempt(job=job, provider=provider, not_seen_since=timezone.now())
        case "providers_api_provider_delete":
            pass
        case _:
            job = make_job(pk=JOB, state="completed", provider=provider)
            write(make_attempt(job=job, provider=provider, phase="ended"), b"done\n")


def test_check_29_every_curl_line_of_the_documentation_runs_as_it_is_printed(
    web: WebProcess, token: str, numbers_beyond_the_examples: None
) -> None:
    lines = printed_lines(web)
    answered = {}
    for operation, line in lines.items():
        ready_for(operation)
        answered[operation] = ran(line + CODE, token).decode()
    wrong = {name: code for name, code in answered.items() if not code.startswith("2")}
    tell("check 29", f"{len(lines)} lines ran as printed, {len(wrong)} were refused (wanted: 0)")
    assert wrong == {}


def test_check_29_a_wrong_field_is_named_by_a_pointer_and_a_repeated_key_makes_one_job(
    web: WebProcess, token: str
) -> None:
    def submitted(body: dict[str, Any], more: str = "") -> dict[str, Any]:
        line = f"curl -s -i {web.url}/api/v1/jobs -H 'Authorization: Bearer {token}' {more}"
        head, _, answer = ran(f"{line} --json '{json.dumps(body)}'", token).partition(b"\r\n\r\n")
        told: dict[str, Any] = json.loads(answer)
        return told | {"head": head.decode().lower()}

    spec = {"name": "hello", "image": "gantry/hello:latest", "script": "echo hello"}
    refused = submitted(spec | {"resources": {"memory_mb": "much"}})
    assert "application/problem+json" in refused["head"]
    assert [error["pointer"] for error in refused["errors"]] == ["/resources/memory_mb"]
    key = "-H 'Idempotency-Key: one-night'"
    first, again = submitted(spec, key), submitted(spec, key)
    assert first["id"] == again["id"] == Job.objects.get().pk
    assert "idempotency-replayed: true" in again["head"]


def follow(web: WebProcess, attempt: Attempt, token: str, idle: Callable[[Any], None]) -> None:
    """Follow a log with curl: a line, then silence, another line, and the end of the job."""
    write(attempt, b"before\n")
    address = f"{web.url}/api/v1/jobs/{attempt.job_id}/logs?follow=1"
    following = in_shell(f"curl -fsSN -H 'Authorization: Bearer {token}' '{address}'", token)
    try:
        assert following.stdout is not None
        assert following.stdout.readline() == b"before\n"
        idle(following)
        write(attempt, b"after\n")
        assert following.stdout.readline() == b"after\n"
        assert following.poll() is None, "it ends with the job, not before"
        finish(attempt)
        assert following.wait(30) == 0
        assert following.stdout.read() == b""
    finally:
        following.kill()
        following.communicate()


def test_check_29_a_followed_log_comes_line_by_line_and_ends_with_the_job(
    web: WebProcess, token: str
) -> None:
    follow(web, make_attempt(), token, lambda following: None)


@pytest.mark.ui_long
def test_check_29_a_followed_log_survives_ten_minutes_of_silence(
    web: WebProcess, token: str
) -> None:
    begun = time.monotonic()

    def idle(following: subprocess.Popen[bytes]) -> None:
        with pytest.raises(subprocess.TimeoutExpired):
            following.wait(IDLE_SECONDS)

    follow(web, make_attempt(), token, idle)
    tell("check 29", f"followed for {time.monotonic() - begun:.0f} s, silent for {IDLE_SECONDS} s")
