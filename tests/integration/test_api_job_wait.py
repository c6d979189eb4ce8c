"""GET /jobs/{id}?wait=…&rev=…: an answer that comes with the news."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import F
from django.test import Client

from jobs import waiting
from jobs.models import Job
from jobs.presenters import told_rev
from jobs.queue_models import QueueClass
from orchestrator import web_handler
from orchestrator.admission import Admission, Application
from orchestrator.refusal import Refusal
from orchestrator.relay import relay
from projects.hub import hub
from projects.models import ApiToken
from projects.notify import JobChange, notify_jobs
from projects.offload import in_database
from tests.support.asgi import requested, scope_of
from tests.support.builders import make_job, make_project, make_token, make_user

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ada() -> dict[str, str]:
    """The header of a submitter in the default project."""
    token = make_token(make_user("ada", project=make_project("default")))
    return {"Authorization": f"Bearer {token}"}


def changed(job: Job, *, state: str = "pending", tell: bool = True) -> None:
    """The job gets its next revision, and its watchers a notice of it."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE jobs_job SET rev = rev + 1, state = %s,"
            " finished_at = CASE WHEN %s = 'pending' THEN NULL ELSE now() END"
            " WHERE id = %s RETURNING rev",
            [state, state, job.pk],
        )
        (rev,) = cursor.fetchone()
        if tell:
            notify_jobs([JobChange(job.pk, rev, job.project_id, ended=state != "pending")])


def run(scenario: Coroutine[Any, Any, None]) -> None:
    """Runs it with the relay feeding the hub, and proves that nothing stays behind."""

    async def with_relay() -> None:
        hub.start_with(relay.ensure_running)
        try:
            await scenario
        finally:
            await relay.stop()

    asyncio.run(with_relay())
    assert hub.is_idle, "a waiter left its bell behind"


async def answer(
    job: Job, headers: dict[str, str], query: str, application: Application | None = None
) -> tuple[int, dict[str, Any]]:
    async with requested(f"/api/v1/jobs/{job.pk}", query, headers, application) as reply:
        body = await reply.read_all()
        return reply.status, json.loads(body) if body else {}


async def until_waiting(job: Job, waiters: int = 1) -> None:
    """Until so many requests have hung up their bells for this job, and the relay listens."""
    async with asyncio.timeout(10):
        while hub.bells(("job", job.pk)) < waiters:
            await asyncio.sleep(0)
    await relay.until_listening()


def test_it_answers_at_once_what_is_news_already(ada: dict[str, str]) -> None:
    pending, ended = make_job(), make_job(state="completed")

    async def scenario() -> None:
        async with asyncio.timeout(10):
            assert (await answer(pending, ada, "wait=60&rev=0"))[1]["rev"] == 1
            assert (await answer(ended, ada, "wait=60&rev=99"))[1]["state"] == "completed"
            assert (await answer(ended, ada, "wait=60"))[1]["state"] == "completed"
            assert (await answer(pending, ada, "rev=99"))[1]["state"] == "pending"

    run(scenario())


def test_a_change_is_answered_when_it_happens_and_the_end_alone_without_a_revision(
    ada: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job()
    monkeypatch.setattr(waiting, "POLL_SECONDS", 60.0)  # it is the bell that is tried

    async def scenario() -> None:
        any_change = asyncio.create_task(answer(job, ada, "wait=60&rev=1"))
        the_end = asyncio.create_task(answer(job, ada, "wait=60"))
        await until_waiting(job)
        await in_database(changed, job)
        status, told = await asyncio.wait_for(any_change, 10)
        assert (status, told["rev"], told["state"]) == (200, 2, "pending")
        assert not the_end.done()
        await in_database(changed, job, state="completed")
        _, told = await asyncio.wait_for(the_end, 10)
        assert (told["rev"], told["state"]) == (3, "completed")

    run(scenario())


def test_a_change_without_a_notice_is_found_by_the_poll(
    ada: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job()
    monkeypatch.setattr(waiting, "POLL_SECONDS", 0.05)

    async def scenario() -> None:
        waiter = asyncio.create_task(answer(job, ada, "wait=60&rev=1"))
        await until_waiting(job)
        await in_database(changed, job, tell=False)
        assert (await asyncio.wait_for(waiter, 10))[1]["rev"] == 2

    run(scenario())


def test_that_it_waits_for_another_reason_is_news_to_who_knows_the_one_before(
    ada: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job(reason="no_capacity", reason_detail={"need": "1 CPU", "best": "node-1"})
    monkeypatch.setattr(waiting, "POLL_SECONDS", 0.05)

    def told_otherwise() -> None:
        QueueClass.objects.update(reason="kept_free", rev=F("rev") + 1)

    async def scenario() -> None:
        known = (await answer(job, ada, ""))[1]["told_rev"]
        by_told = asyncio.create_task(answer(job, ada, f"wait=60&rev={known}"))
        by_rev = asyncio.create_task(answer(job, ada, f"wait=60&rev={job.rev}"))
        await until_waiting(job, 2)
        await in_database(told_otherwise)
        _, told = await asyncio.wait_for(by_told, 10)
        assert (told["reason"], told["rev"]) == ("kept_free", job.rev)
        assert told["told_rev"] != known
        assert not by_rev.done()
        await in_database(changed, job)
        assert (await asyncio.wait_for(by_rev, 10))[1]["rev"] == job.rev + 1

    run(scenario())


def test_when_the_time_is_over_the_present_state_is_answered(ada: dict[str, str]) -> None:
    job = make_job()

    async def scenario() -> None:
        begun = time.monotonic()
        status, told = await answer(job, ada, "wait=1&rev=1")
        assert (status, told["rev"]) == (200, 1)
        assert time.monotonic() - begun >= 1

    run(scenario())


def test_an_unchanged_job_is_304_after_the_wait_for_those_who_have_it(
    ada: dict[str, str],
) -> None:
    job = make_job()
    headers = ada | {"If-None-Match": f'"job-{job.pk}-{told_rev(job)}"'}

    async def scenario() -> None:
        assert (await answer(job, headers, "wait=1&rev=1"))[0] == 304

    run(scenario())


def test_who_may_no_longer_see_it_is_told_nothing_at_the_end_of_the_wait(
    ada: dict[str, str],
) -> None:
    job = make_job()

    async def scenario() -> None:
        waiter = asyncio.create_task(answer(job, ada, "wait=60&rev=1"))
        await until_waiting(job)
        await in_database(lambda: ApiToken.objects.all().delete())
        await in_database(changed, job)
        status, told = await asyncio.wait_for(waiter, 10)
        assert status == 401
        assert "spec" not in told

    run(scenario())


def test_a_job_that_is_deleted_while_somebody_waits_is_404(ada: dict[str, str]) -> None:
    job = make_job()

    async def scenario() -> None:
        waiter = asyncio.create_task(answer(job, ada, "wait=60"))
        await until_waiting(job)
        await in_database(lambda: Job.objects.all().delete())
        assert (await asyncio.wait_for(waiter, 10))[0] == 404

    run(scenario())


def test_a_stranger_does_not_wait_to_hear_that_there_is_nothing(ada: dict[str, str]) -> None:
    foreign = make_job(project=make_project("other"))

    async def scenario() -> None:
        async with asyncio.timeout(10):
            assert (await answer(foreign, ada, "wait=60&rev=99"))[0] == 404

    run(scenario())


def test_who_hangs_up_leaves_no_bell(ada: dict[str, str]) -> None:
    job = make_job()

    async def scenario() -> None:
        waiter = asyncio.create_task(answer(job, ada, "wait=60"))
        await until_waiting(job)
        waiter.cancel()
        await asyncio.wait([waiter])

    run(scenario())


def test_who_goes_away_while_waiting_is_not_answered_any_more(ada: dict[str, str]) -> None:
    job, sent = make_job(), list[Any]()

    async def send(message: Any) -> None:
        sent.append(message)

    async def scenario() -> None:
        incoming: asyncio.Queue[Any] = asyncio.Queue()
        incoming.put_nowait({"type": "http.request", "body": b"", "more_body": False})
        scope = scope_of(f"/api/v1/jobs/{job.pk}", "wait=60", ada)
        answering = asyncio.create_task(web_handler.WebHandler()(scope, incoming.get, send))
        await until_waiting(job)
        incoming.put_nowait({"type": "http.disconnect"})
        await asyncio.wait_for(answering, 10)
        assert sent == []

    run(scenario())


def test_waiting_requests_hold_no_place_no_thread_and_no_connection(
    ada: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "POLL_SECONDS", 60.0)
    one_thread = ThreadPoolExecutor(1)
    monkeypatch.setattr(web_handler, "_threads", one_thread)
    one_place = Admission(web_handler.WebHandler(), Refusal(), most=1)
    job = make_job()

    async def scenario() -> None:
        waiters = []
        for number in range(1, 6):
            waiters.append(asyncio.create_task(answer(job, ada, "wait=60", one_place)))
            await until_waiting(job, number)
        async with asyncio.timeout(10):
            while await in_database(connections_of_requests):
                await asyncio.sleep(0)
        await in_database(changed, job, state="completed")
        answers = await asyncio.wait_for(asyncio.gather(*waiters), 20)
        assert [told["state"] for _, told in answers] == ["completed"] * 5

    run(scenario())
    one_thread.shutdown()


def connections_of_requests() -> int:
    """How many connections there are besides the test's own, the relay's and this one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) - 2 FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name <> 'gantry-relay'"
        )
        return int(cursor.fetchone()[0])


@pytest.mark.parametrize(
    ("query", "pointer"),
    [("wait=61", "/wait"), ("wait=-1", "/wait"), ("rev=x", "/rev"), ("waits=1", "/waits")],
)
def test_a_wrong_parameter_is_named(ada: dict[str, str], query: str, pointer: str) -> None:
    response = Client(headers=ada).get(f"/api/v1/jobs/{make_job().pk}?{query}")
    assert response.status_code == 422
    assert [e["pointer"] for e in response.json()["errors"]] == [pointer]
