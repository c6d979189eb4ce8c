"""Health and readiness, and the pages of what went wrong."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from time import monotonic

import pytest
from django.conf import settings
from django.core.signals import got_request_exception
from django.db import OperationalError, connection, transaction
from django.test import Client

from orchestrator import readiness, views_home, web_handler
from tests.support.asgi import requested
from tests.support.builders import make_job, make_user
from tests.support.pages import signed_in, words_of

pytestmark = pytest.mark.django_db


def test_health_and_readiness_need_no_login(client: Client) -> None:
    assert client.get("/health").json() == {"status": "ok"}
    assert client.get("/ready").json() == {"status": "ready"}


def test_health_is_told_while_every_thread_of_the_pages_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slow_page = Event()
    with ThreadPoolExecutor(1) as threads:
        monkeypatch.setattr(web_handler, "_threads", threads)
        threads.submit(slow_page.wait)

        async def scenario() -> None:
            async with requested("/health") as reply:
                assert reply.status == 200

        try:
            asyncio.run(scenario())
        finally:
            slow_page.set()


def test_an_instance_with_pending_migrations_is_not_ready(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    to_come = readiness._known() | {("jobs", "9998_more"), ("jobs", "9999_still_more")}
    monkeypatch.setattr(readiness, "_known", lambda: to_come)
    response = client.get("/ready")
    assert response.status_code == 503
    assert "2 migrations are pending" in response.json()["detail"]
    assert client.get("/health").status_code == 200


def test_readiness_is_asked_beside_the_connections_of_the_pages(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room() -> None:
        raise OperationalError("couldn't get a connection after 10.00 sec")

    monkeypatch.setattr(connection, "cursor", no_room)
    assert client.get("/ready").json() == {"status": "ready"}


@pytest.mark.parametrize("listens", [False, True], ids=["gone", "frozen"])
def test_an_instance_without_its_database_is_not_ready_and_says_so_in_time(
    client: Client, monkeypatch: pytest.MonkeyPatch, listens: bool
) -> None:
    with socket.socket() as database, ThreadPoolExecutor(4) as probes:
        database.bind(("127.0.0.1", 0))
        if listens:  # connections are taken and nothing is ever said
            database.listen()
        at = {"host": "127.0.0.1", "port": database.getsockname()[1]}
        real = readiness._address()
        monkeypatch.setattr(readiness, "_address", lambda: real | at)
        begun = monotonic()
        # At once, by more probes than the web server has threads for.
        answers = list(probes.map(lambda _: readiness.why_not_ready(), range(4)))
        assert len(set(answers)) == 1
        response = client.get("/ready")
        assert response.status_code == 503
        assert response.json()["detail"].startswith("The database does not answer")
        assert monotonic() < begun + 2 * readiness.ANSWER_SECONDS + 1


def test_a_missing_page_says_so_with_a_request_id_and_a_way_home() -> None:
    browser = signed_in(make_user("ada"))
    response = browser.get("/nowhere", headers={"X-Request-Id": "my-request-1"})
    assert response.status_code == 404
    assert "There is no such page" in words_of(response)
    assert "my-request-1" in words_of(response)
    assert 'href="/"' in response.content.decode()


def test_a_broken_page_says_so_with_a_request_id_and_no_detail(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: object, **__: object) -> bool:
        raise RuntimeError("secret internals")

    monkeypatch.setattr(views_home, "has_run", broken)
    browser = Client(raise_request_exception=False)
    browser.force_login(make_user("ada"))
    seen: list[object] = []
    got_request_exception.connect(lambda **kw: seen.append(kw), weak=False, dispatch_uid="seen")
    try:
        response = browser.get("/", headers={"X-Request-Id": "my-request-2"})
    finally:
        got_request_exception.disconnect(dispatch_uid="seen")
    assert response.status_code == 500
    assert seen
    assert "my-request-2" in words_of(response)
    assert "secret internals" not in response.content.decode()


def test_every_page_carries_the_strict_content_policy() -> None:
    browser = signed_in(make_user("ada", superuser=True))
    job = make_job(state="running")
    for url in ("/jobs", f"/jobs/{job.pk}", "/jobs/new", "/providers", "/nowhere", "/admin/"):
        policy = browser.get(url)["Content-Security-Policy"]
        assert "default-src 'self'" in policy, url
        assert "unsafe" not in policy, url


def test_a_question_that_the_database_breaks_off_is_told_as_503_in_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def endless(_: object) -> bool:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = '20ms'")
            cursor.execute("SELECT pg_sleep(60)")
        return True

    monkeypatch.setattr(views_home, "has_run", endless)
    browser = signed_in(make_user("ada"))
    browser.raise_request_exception = False
    response = browser.get("/")
    assert response.status_code == 503
    assert "The database needed too long for this" in words_of(response)


def test_only_the_pool_of_web_has_its_statements_broken_off() -> None:
    code = "from orchestrator.settings import DATABASES; print(DATABASES['default']['OPTIONS'])"
    for pool, limited in (("2", True), ("0", False)):
        told = subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"GANTRY_DB_POOL": pool},
            cwd=settings.BASE_DIR,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert ("statement_timeout" in told) is limited
