"""Answers that fail, wait or stream, and what is logged of them; the answer to HEAD."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import pytest
from django.db import OperationalError
from django.http import StreamingHttpResponse

from jobs import waiting
from jobs.log import replies
from jobs.models import Attempt
from orchestrator.admission import CUT_OFF
from orchestrator.web_handler import WebHandler
from projects.hub import hub
from tests.support.asgi import requested, scope_of
from tests.support.attempts import make_attempt
from tests.support.builders import make_job, make_project, make_token, make_user
from tests.support.log_rows import append, lines

pytestmark = pytest.mark.django_db(transaction=True)
NUMBER = "my-request-1"


@pytest.fixture
def ada() -> dict[str, str]:
    """The headers of a submitter in the default project, and of this request."""
    token = make_token(make_user("ada", project=make_project("default")))
    return {"Authorization": f"Bearer {token}", "X-Request-Id": NUMBER}


@pytest.fixture
def attempt() -> Attempt:
    """A running one with a log."""
    attempt = make_attempt()
    append(attempt, lines(1, 3))
    return attempt


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The streams that were closed."""
    streams = list[Any]()
    monkeypatch.setattr(StreamingHttpResponse, "close", lambda response: streams.append(response))
    return streams


def gone(*_: Any) -> Any:
    raise OperationalError("the connection is lost")


async def sent_to(scope: dict[str, Any]) -> list[Any]:
    """All that is sent to a client who stays."""
    incoming: asyncio.Queue[Any] = asyncio.Queue()
    incoming.put_nowait({"type": "http.request", "body": b"", "more_body": False})
    sent = list[Any]()

    async def send(message: Any) -> None:
        sent.append(message)

    async with asyncio.timeout(20):
        await WebHandler()(scope, incoming.get, send)
    return sent


def test_a_stream_that_fails_is_cut_off_closed_and_told_with_its_number(
    ada: dict[str, str],
    attempt: Attempt,
    closed: list[Any],
    console: io.StringIO,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(replies, "_attempt_from", gone)
    path = f"/api/v1/jobs/{attempt.job_id}/logs"
    errors = list[Exception]()
    scope = scope_of(path, "follow=1&tail=1", ada) | {CUT_OFF: errors.append}
    sent = asyncio.run(sent_to(scope))
    assert sent[-1]["more_body"], "it looks complete"
    assert [type(error) for error in errors] == [OperationalError]
    assert len(closed) == 1
    told = f"GET '{path}' broke off: the connection is lost (request {NUMBER})"
    assert told in console.getvalue()
    assert hub.is_idle


def test_a_stream_that_fails_under_a_server_without_a_way_to_cut_it_off_raises(
    ada: dict[str, str], attempt: Attempt, closed: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replies, "_attempt_from", gone)
    path = f"/api/v1/jobs/{attempt.job_id}/logs"
    with pytest.raises(OperationalError):
        asyncio.run(sent_to(scope_of(path, "follow=1&tail=1", ada)))
    assert len(closed) == 1


def test_a_stream_that_the_process_ends_is_closed(
    ada: dict[str, str], attempt: Attempt, closed: list[Any]
) -> None:
    async def scenario() -> None:
        scope = scope_of(f"/api/v1/jobs/{attempt.job_id}/logs", "follow=1&tail=1", ada)
        answering = asyncio.create_task(sent_to(scope))
        async with asyncio.timeout(20):
            while not hub.bells(("job", attempt.job_id)):
                await asyncio.sleep(0)
        answering.cancel()
        await asyncio.wait([answering], timeout=20)
        assert answering.cancelled()

    asyncio.run(scenario())
    assert len(closed) == 1
    assert hub.is_idle


def test_a_wait_that_fails_is_answered_by_the_view(
    ada: dict[str, str], console: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "_has_news", gone)
    job = make_job()

    async def scenario() -> None:
        async with requested(f"/api/v1/jobs/{job.pk}", "wait=60", ada) as reply:
            assert reply.status == 200
            assert f'"id":{job.pk}' in (await reply.read_all()).decode()

    asyncio.run(scenario())
    told = f"GET '/api/v1/jobs/{job.pk}' broke off: the connection is lost (request {NUMBER})"
    assert told in console.getvalue()


@pytest.mark.parametrize("query", ["follow=1", ""])
def test_head_is_answered_at_once_with_headers_alone(
    ada: dict[str, str], attempt: Attempt, query: str
) -> None:
    path = f"/api/v1/jobs/{attempt.job_id}/logs"
    sent = asyncio.run(sent_to(scope_of(path, query, ada, "HEAD")))
    assert [message.get("body") for message in sent] == [None, b""]
    assert not sent[-1]["more_body"]
    headers = dict(sent[0]["headers"])
    assert headers[b"Content-Type"] == b"text/plain; charset=utf-8"
    assert (b"Content-Length" in headers) == (query == "")
    assert headers[b"X-Request-Id"] == NUMBER.encode()
