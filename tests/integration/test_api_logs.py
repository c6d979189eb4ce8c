"""GET /jobs/{id}/logs: whole, in part, and as it grows."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, connections, transaction
from django.test import Client

from jobs.log import replies as log_replies
from jobs.log.archive import archive_log
from jobs.models import Attempt
from orchestrator.relay import relay
from projects.hub import hub
from projects.models import ApiToken, Membership
from projects.notify import JobChange, LiveChanges, notify_jobs, notify_live
from projects.offload import in_database
from providers.driver import LogFrame, Stream
from tests.support.asgi import requested
from tests.support.attempts import make_attempt
from tests.support.builders import make_job, make_project, make_token, make_user
from tests.support.log_rows import append, lines

pytestmark = pytest.mark.django_db(transaction=True)
SECOND = 10**9
OUT, ERR = Stream.STDOUT, Stream.STDERR


@pytest.fixture
def ada() -> dict[str, str]:
    """The header of a submitter in the default project."""
    token = make_token(make_user("ada", project=make_project("default")))
    return {"Authorization": f"Bearer {token}"}


def frame(text: bytes, stream: Stream = OUT, at: int = SECOND) -> LogFrame:
    return LogFrame(stream, at, text, True, text.endswith(b"\n"))


def read(attempt: Attempt, headers: dict[str, str], query: str = "", accept: str = "*/*") -> Any:
    return Client(headers=headers | {"Accept": accept}).get(
        f"/api/v1/jobs/{attempt.job_id}/logs?{query}"
    )


def ended(attempt: Attempt, *, job: str = "completed") -> None:
    """The attempt ends, and its job with it or goes back to wait for the next attempt."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE jobs_attempt SET phase = 'ended', outcome = 'completed', ended_at = now()"
            " WHERE id = %s",
            [attempt.pk],
        )
        cursor.execute(
            "UPDATE jobs_job SET state = %s, rev = rev + 1,"
            " finished_at = CASE WHEN %s = 'pending' THEN NULL ELSE now() END WHERE id = %s",
            [job, job, attempt.job_id],
        )
        notify_jobs([JobChange(attempt.job_id, 9, attempt.job.project_id)])


def write(attempt: Attempt, *frames: LogFrame) -> None:
    with transaction.atomic():
        chunks = append(attempt, frames)
        notify_live(LiveChanges(logs={attempt.pk: chunks[-1].seq}))


def test_the_text_is_what_was_written_byte_for_byte(ada: dict[str, str]) -> None:
    attempt = make_attempt()
    written = b"a\0b \xff\xfe <script>\x1b[31m\n"
    append(attempt, [frame(written), frame(b"bad\n", ERR), frame(b"no newline")])
    response = read(attempt, ada)
    assert response.content == written + b"bad\nno newline"
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["X-Accel-Buffering"] == "no"
    assert "no-cache" in response["Cache-Control"]
    assert read(attempt, ada, "stream=stderr").content == b"bad\n"
    assert read(attempt, ada, "stream=stdout").content == written + b"no newline"


def test_ndjson_is_chosen_by_format_or_accept_and_tells_where_to_go_on(
    ada: dict[str, str],
) -> None:
    attempt = make_attempt()
    append(attempt, [frame("é\n".encode()), frame(b"two\n", ERR, 2 * SECOND + 5)])
    append(attempt, [frame(b"\xff")])
    by_accept = read(attempt, ada, accept="application/x-ndjson")
    assert by_accept["Content-Type"] == "application/x-ndjson"
    assert by_accept.content == read(attempt, ada, "format=ndjson").content
    rows = [json.loads(line) for line in by_accept.content.splitlines()]
    assert [(r["line"], r["stream"], r["text"], r["ends"]) for r in rows] == [
        (1, "stdout", "é", True),
        (2, "stderr", "two", True),
        (3, "stdout", "\ufffd", False),
    ]
    assert rows[1]["time"] == "1970-01-01T00:00:02.000000005Z"
    after = read(attempt, ada, f"format=ndjson&after={rows[1]['seq']}").content
    assert [json.loads(line)["line"] for line in after.splitlines()] == [3]


def test_timestamps_stand_before_each_line(ada: dict[str, str]) -> None:
    attempt = make_attempt()
    append(attempt, [frame(b"one\n"), frame(b"two\n", ERR, 2 * SECOND)])
    assert read(attempt, ada, "timestamps=1").content == (
        b"1970-01-01T00:00:01.000000000Z one\n1970-01-01T00:00:02.000000000Z two\n"
    )


def test_the_tail_has_exactly_so_many_lines(ada: dict[str, str]) -> None:
    attempt = make_attempt()
    append(attempt, lines(1, 50))
    append(attempt, lines(51, 50))
    got = read(attempt, ada, "tail=7").content.splitlines()
    assert [int(line.split()[0]) for line in got] == list(range(94, 101))
    assert read(attempt, ada, "tail=0").content == b""
    assert len(read(attempt, ada, "tail=10000").content.splitlines()) == 100


def test_an_attempt_is_chosen_by_number_and_the_latest_is_the_default(
    ada: dict[str, str],
) -> None:
    first = make_attempt(phase="ended")
    second = make_attempt(phase="ended", job=first.job, provider=first.provider, number=2)
    first.job.__class__.objects.filter(pk=first.job_id).update(attempt=2)
    append(first, [frame(b"first\n")])
    append(second, [frame(b"second\n")])
    assert read(first, ada).content == b"second\n"
    assert read(first, ada, "attempt=1").content == b"first\n"
    refused = read(first, ada, "attempt=3")
    assert (refused.status_code, refused.json()["code"]) == (404, "not_found")


def test_a_job_that_never_ran_has_an_empty_log(ada: dict[str, str]) -> None:
    job = make_job()
    response = Client(headers=ada).get(f"/api/v1/jobs/{job.pk}/logs")
    assert (response.status_code, response.content) == (200, b"")


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("tail=-1", "/tail"),
        ("tail=10001", "/tail"),
        ("attempt=0", "/attempt"),
        ("after=x", "/after"),
        ("stream=both", "/stream"),
        ("format=html", "/format"),
        ("follow=yes", "/follow"),
        ("lines=3", "/lines"),
    ],
)
def test_a_wrong_parameter_is_named(ada: dict[str, str], query: str, pointer: str) -> None:
    response = read(make_attempt(), ada, query)
    assert response.status_code == 422
    assert [e["pointer"] for e in response.json()["errors"]] == [pointer]


# --- over ASGI: answers larger than one batch, and answers that grow --------------------


def run(scenario: Coroutine[Any, Any, None]) -> None:
    """Runs it with the relay feeding the hub, and proves that nothing stays behind."""

    async def with_relay() -> None:
        hub.start_with(relay.ensure_running)
        try:
            await scenario
        finally:
            await relay.stop()

    asyncio.run(with_relay())
    assert hub.is_idle, "a closed answer left its bell behind"


def log_of(attempt: Attempt, headers: dict[str, str], query: str = "") -> Any:
    return requested(f"/api/v1/jobs/{attempt.job_id}/logs", query, headers)


def test_a_log_of_many_batches_comes_whole_archived_or_not(ada: dict[str, str]) -> None:
    attempt = make_attempt()
    frames = lines(1, 4000, width=120)
    for start in range(0, 4000, 400):
        append(attempt, frames[start : start + 400])
    ended(attempt)
    whole = b"".join(f.data for f in frames)

    async def scenario() -> None:
        async with log_of(attempt, ada) as reply:
            assert await reply.read_all() == whole
        await in_database(archive_log, attempt.pk)
        async with log_of(attempt, ada) as reply:
            assert await reply.read_all() == whole

    run(scenario())


def test_following_gives_each_line_when_it_is_written_and_ends_with_the_job(
    ada: dict[str, str],
) -> None:
    attempt = make_attempt()
    append(attempt, [frame(b"one\n")])

    async def scenario() -> None:
        async with log_of(attempt, ada, "follow=1") as reply:
            assert reply.headers["x-accel-buffering"] == "no"
            await reply.read_until(b"one\n")
            await in_database(write, attempt, frame(b"two\n"), frame(b"err\n", ERR))
            await reply.read_until(b"two\nerr\n")
            assert not reply.ended
            await in_database(write, attempt, frame(b"last"))
            await in_database(ended, attempt)
            assert await reply.read_all() == b"one\ntwo\nerr\nlast"

    run(scenario())


def test_following_from_the_tail_neither_loses_nor_repeats_a_line(ada: dict[str, str]) -> None:
    attempt = make_attempt()
    append(attempt, lines(1, 30))

    async def scenario() -> None:
        async with log_of(attempt, ada, "follow=1&tail=3") as reply:
            await reply.read_until(b"\n30 ")
            await in_database(write, attempt, *lines(31, 2))
            await in_database(ended, attempt)
            got = (await reply.read_all()).splitlines()
            assert [int(line.split()[0]) for line in got] == [28, 29, 30, 31, 32]

    run(scenario())


def test_following_waits_for_the_first_attempt_and_goes_on_with_the_next(
    ada: dict[str, str],
) -> None:
    job = make_job()

    def attempt(number: int, text: bytes) -> Attempt:
        job.__class__.objects.filter(pk=job.pk).update(attempt=number)
        made = make_attempt(job=job, number=number)
        append(made, [frame(text)])
        return made

    async def scenario() -> None:
        path = f"/api/v1/jobs/{job.pk}/logs"
        async with requested(path, "follow=1", ada) as reply:
            first = await in_database(attempt, 1, b"first\n")
            await reply.read_until(b"first\n")
            await in_database(ended, first, job="pending")
            second = await in_database(attempt, 2, b"second\n")
            await reply.read_until(b"second\n")
            await in_database(ended, second)
            assert await reply.read_all() == b"first\nsecond\n"
        async with requested(path, "follow=1&attempt=1", ada) as reply:
            assert await reply.read_all() == b"first\n"
        async with requested(path, "follow=1", ada) as reply:
            assert await reply.read_all() == b"second\n"

    run(scenario())


def test_following_a_job_that_ends_without_an_attempt_ends_empty(ada: dict[str, str]) -> None:
    job = make_job(state="cancelled")

    async def scenario() -> None:
        async with requested(f"/api/v1/jobs/{job.pk}/logs", "follow=1", ada) as reply:
            assert await reply.read_all() == b""

    run(scenario())


async def followed_until(
    attempt: Attempt, headers: dict[str, str], taken: Callable[[], None]
) -> None:
    """A follower who has read a line is let go, without another, once this was taken."""
    async with log_of(attempt, headers, "follow=1") as reply:
        await reply.read_until(b"one\n")
        await in_database(taken)
        assert await reply.read_all() == b"one\n"


@pytest.mark.parametrize("taken", ["membership", "token"])
def test_a_follower_who_may_no_longer_read_is_let_go(
    ada: dict[str, str], monkeypatch: pytest.MonkeyPatch, taken: str
) -> None:
    monkeypatch.setattr(log_replies, "RECHECK_SECONDS", 0.0)
    attempt = make_attempt()
    append(attempt, [frame(b"one\n")])

    def take() -> None:
        Membership.objects.all().delete()
        if taken == "token":
            ApiToken.objects.all().delete()

    run(followed_until(attempt, ada, take))


@pytest.mark.parametrize("by", ["signing out", "another password"])
def test_a_follower_whose_session_has_ended_is_let_go(
    monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    monkeypatch.setattr(log_replies, "RECHECK_SECONDS", 0.0)
    user, browser = make_user("bo", project=make_project("default")), Client()
    browser.force_login(user)
    cookie = {"Cookie": f"{settings.SESSION_COOKIE_NAME}={browser.session.session_key}"}
    attempt = make_attempt()
    append(attempt, [frame(b"one\n")])

    def end() -> None:
        if by == "signing out":
            browser.logout()
        else:
            user.set_password("another")
            user.save()

    run(followed_until(attempt, cookie, end))


def test_a_follower_holds_no_database_connection_while_it_waits(ada: dict[str, str]) -> None:
    attempt = make_attempt()
    append(attempt, [frame(b"one\n")])

    def others() -> int:
        """Connections of this database that are neither ours nor the relay's."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND pid <> pg_backend_pid() AND application_name <> 'gantry-relay'"
                " AND backend_type = 'client backend'"
            )
            return int(cursor.fetchone()[0])

    connections.close_all()

    async def scenario() -> None:
        async with log_of(attempt, ada, "follow=1") as one, log_of(attempt, ada, "follow=1") as two:
            await one.read_until(b"one\n")
            await two.read_until(b"one\n")
            # A poll that happens to be reading counts for an instant; a held one stays.
            counts = [await in_database(others) for _ in range(5)]
            assert min(counts) == 0, counts

    run(scenario())


def test_a_follower_that_hangs_up_is_forgotten_at_once(ada: dict[str, str]) -> None:
    attempt = make_attempt()
    append(attempt, [frame(b"one\n")])

    async def scenario() -> None:
        async with log_of(attempt, ada, "follow=1") as reply:
            await reply.read_until(b"one\n")
        assert hub.is_idle

    run(scenario())


def test_all_attempts_come_in_one_text_and_any_log_also_compressed(ada: dict[str, str]) -> None:
    first = make_attempt(phase="ended")
    second = make_attempt(phase="ended", job=first.job, provider=first.provider, number=2)
    append(first, [frame(b"first\n")])
    append(second, lines(1, 500))
    path = f"/api/v1/jobs/{first.job_id}/logs"

    async def scenario() -> None:
        async with requested(path, "attempt=2", ada) as reply:
            plain = await reply.read_all()
        async with requested(path, "attempt=2&gzip=1", ada) as reply:
            assert reply.headers["content-type"] == "application/gzip"
            assert gzip.decompress(await reply.read_all()) == plain
        async with requested(path, "attempt=all", ada) as reply:
            both = b"==> attempt 1 <==\nfirst\n==> attempt 2 <==\n" + plain
            assert await reply.read_all() == both
        async with requested(path, "attempt=all&gzip=1", ada) as reply:
            assert gzip.decompress(await reply.read_all()) == both

    asyncio.run(scenario())
    refused = read(first, ada, "attempt=all&tail=3")
    assert refused.json()["errors"][0]["pointer"] == "/tail"
    assert read(first, ada, "gzip=1&follow=1").status_code == 422
