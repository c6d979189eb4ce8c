"""A log on the live socket: prompt, resumable, at the reader's speed, to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from itertools import count
from typing import Any

import pytest
from django.db import connection, transaction

from jobs.log.archive import archive_log
from jobs.log.follow import follow
from jobs.log.frames import Chunk, pack
from jobs.log.range import read_range
from jobs.log.reading import Stretch, position
from jobs.models import Attempt, Job, LogChunk
from orchestrator import log_feed
from orchestrator.log_feed import IN_FLIGHT
from projects.hub import hub
from projects.notify import JobChange, LiveChanges, notify_jobs, notify_live
from projects.offload import in_database
from providers.driver import LogFrame, Stream
from tests.support.attempts import make_attempt
from tests.support.log_rows import append, lines
from tests.support.sessions import make_person, sign_in
from tests.support.sockets import BrowserSocket, live

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def attempt() -> Attempt:
    return make_attempt()


@pytest.fixture
def key(attempt: Attempt) -> str:
    return sign_in(make_person(attempt.job.project))


def run(scenario: Coroutine[Any, Any, None]) -> None:
    asyncio.run(scenario)
    assert hub.is_idle, "a closed socket left a subscription behind"


def write(attempt: Attempt, first: int, many: int, *, notify: bool = True) -> None:
    """Numbered lines in one transaction, as the log writer commits them."""
    with transaction.atomic():
        chunks = append(attempt, lines(first, many))
        if notify:
            notify_live(LiveChanges(logs={attempt.pk: chunks[-1].seq}))


def write_frames(attempt: Attempt, frames: Iterable[LogFrame]) -> None:
    """Any frames, going on with unfinished lines."""
    chunks, after = pack(frames, position(attempt.pk))
    LogChunk.objects.bulk_create(
        LogChunk(attempt_id=attempt.pk, **{name: getattr(c, name) for name in Chunk.__slots__})
        for c in chunks
    )
    Attempt.objects.filter(pk=attempt.pk).update(
        log_seq=after.seq,
        log_lines=after.lines,
        log_stdout_bytes=after.stdout_bytes,
        log_stderr_bytes=after.stderr_bytes,
    )


def end(attempt: Attempt) -> None:
    """The attempt and its job end, as the engine would record it."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE jobs_attempt SET phase = 'ended', outcome = 'completed', exit_code = 0,"
            " ended_at = now(), log_complete = true WHERE id = %s",
            [attempt.pk],
        )
        cursor.execute(
            "UPDATE jobs_job SET state = 'completed', finished_at = now() WHERE id = %s",
            [attempt.job_id],
        )
        notify_jobs([JobChange(attempt.job_id, 9, attempt.job.project_id)])


class Reader:
    """A page's log viewer: takes batches, acknowledges them, remembers where it stands."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self.seq = 0
        self.numbers: list[int] = []
        self.gaps: list[dict[str, Any]] = []
        self.ended: dict[str, Any] | None = None

    def open(self, browser: BrowserSocket) -> None:
        job, number = self._attempt.job_id, self._attempt.number
        browser.say("log", job=job, attempt=number, after=self.seq)

    async def take(self, browser: BrowserSocket, *, acknowledge: bool = True) -> None:
        """One message about the log."""
        while True:
            message = await browser.hear_any()
            if message["t"] in ("log", "gap", "end"):
                break
        if message["t"] == "end":
            self.ended = message
            return
        assert message["after"] == self.seq
        self.seq = message["seq"]
        if message["t"] == "gap":
            self.gaps.append(message)
            return
        self.numbers += [row[0] for row in message["rows"]]
        if acknowledge:
            job, number = self._attempt.job_id, self._attempt.number
            browser.say("ack", job=job, attempt=number, n=message["n"])

    async def take_until(self, browser: BrowserSocket, line: int) -> None:
        while not self.numbers or self.numbers[-1] < line:
            await self.take(browser)


def test_lines_are_pushed_as_they_are_committed_and_the_end_is_told(
    attempt: Attempt, key: str
) -> None:
    lags: list[float] = []

    async def scenario() -> None:
        reader, loop = Reader(attempt), asyncio.get_running_loop()
        async with live(key) as browser:
            reader.open(browser)
            for number in range(1, 31):
                began = loop.time()
                await in_database(write, attempt, number, 1)
                await reader.take_until(browser, number)
                lags.append(loop.time() - began)
            await in_database(end, attempt)
            await reader.take(browser)
        assert reader.numbers == list(range(1, 31))
        assert reader.ended is not None
        told = {name: reader.ended[name] for name in ("state", "outcome", "exit_code", "complete")}
        assert told == {
            "state": "completed",
            "outcome": "completed",
            "exit_code": 0,
            "complete": True,
        }

    run(scenario())
    assert sorted(lags)[28] < 0.5, f"write to socket, seconds: {sorted(lags)}"


def test_a_row_carries_number_stream_time_and_text_and_hostile_bytes_do_no_harm(
    attempt: Attempt, key: str
) -> None:
    out, err, at = Stream.STDOUT, Stream.STDERR, 1_800_000_000_123_000_000
    frames = [
        LogFrame(out, at, b"\x00nul \xff\xfe <script>alert(1)</script>\n", True, True),
        LogFrame(err, at, b"\x1b[31mred", True, False),
    ]

    async def scenario() -> None:
        async with live(key) as browser:
            await in_database(write_frames, attempt, frames)
            browser.say("log", job=attempt.job_id, attempt=1, after=0)
            first = await browser.hear("log")
            assert first["rows"] == [
                [1, 6, at // 10**6, "\0nul \ufffd\ufffd <script>alert(1)</script>"],
                [2, 3, at // 10**6, "\x1b[31mred"],
            ]
            rest = LogFrame(err, at, b" still\n", False, True)
            await in_database(write_frames, attempt, [rest])
            assert (await browser.hear("log"))["rows"] == [[2, 5, at // 10**6, " still"]]

    run(scenario())


def test_a_missed_notice_costs_a_second_at_most(attempt: Attempt, key: str) -> None:
    async def scenario() -> None:
        reader, loop = Reader(attempt), asyncio.get_running_loop()
        async with live(key) as browser:
            reader.open(browser)
            await in_database(write, attempt, 1, 1)
            await reader.take_until(browser, 1)
            began = loop.time()
            await in_database(write, attempt, 2, 1, notify=False)
            await reader.take_until(browser, 2)
            assert loop.time() - began < 2.5

    run(scenario())


def test_reconnecting_goes_on_by_seq_without_loss_or_doubling(attempt: Attempt, key: str) -> None:
    """Three sockets after each other, while a writer writes and the archive moves chunks."""

    async def scenario() -> None:
        reader, numbers = Reader(attempt), count(1, 7)

        async def keep_writing() -> None:
            for first in numbers:
                await in_database(write, attempt, first, 7)
                if first > 7 * 60:
                    return

        writer = asyncio.ensure_future(keep_writing())
        for upto in (50, 200, 421):
            async with live(key) as browser:
                reader.open(browser)
                await reader.take_until(browser, upto)
        await writer
        await in_database(end, attempt)
        await in_database(archive_log, attempt.pk)
        async with live(key) as browser:
            reader.open(browser)
            while reader.ended is None:
                await reader.take(browser)
        assert reader.numbers == list(range(1, 428))
        assert not reader.gaps

    run(scenario())


def test_a_reader_that_does_not_acknowledge_gets_four_batches_and_later_a_gap(
    attempt: Attempt, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_feed, "BEHIND_LINES", 500)
    monkeypatch.setattr(log_feed, "TAIL_LINES", 100)
    per_chunk = 10

    def write_many(first: int, chunks: int) -> None:
        for start in range(first, first + chunks * per_chunk, per_chunk):
            write(attempt, start, per_chunk)

    async def scenario() -> None:
        reader = Reader(attempt)
        async with live(key) as browser:
            reader.open(browser)
            for start in range(1, 1 + IN_FLIGHT * per_chunk, per_chunk):
                await in_database(write, attempt, start, per_chunk)
                await reader.take(browser, acknowledge=False)
            before = len(reader.numbers)
            assert before == IN_FLIGHT * per_chunk
            await in_database(write_many, before + 1, 100)
            assert not [m for m in await browser.heard_within(1.5) if m["t"] == "log"]
            browser.say("ack", job=attempt.job_id, attempt=1, n=IN_FLIGHT)
            await reader.take_until(browser, 1040)
            (gap,) = reader.gaps
            assert gap["first_line"] == before + 1
            assert reader.numbers[:before] == list(range(1, before + 1))
            after = reader.numbers[before:]
            assert after == list(range(before + 1 + gap["lines"], 1041))
            assert 0 < len(after) <= 100

            loaded: list[int] = []
            seq, first = 0, gap["first_line"]
            while seq < gap["seq"]:
                part = await in_database(read_range, attempt.pk, after_seq=seq, from_line=first)
                loaded += [row[0] for row in part["rows"]]
                seq = part["seq"]
            assert loaded[: gap["lines"]] == list(range(first, first + gap["lines"]))

    run(scenario())


def test_a_stretch_can_be_read_without_what_is_before_it(attempt: Attempt) -> None:
    for first in range(1, 301, 10):
        write(attempt, first, 10)
    part = read_range(attempt.pk, from_line=223)
    assert (part["seq"], part["last"], part["lost"]) == (30, 30, [])
    assert [row[0] for row in part["rows"]] == list(range(221, 301))


def test_who_reads_to_the_end_of_a_log_is_told_how_it_ended(attempt: Attempt) -> None:
    """Also over HTTP: without websockets a page would wait for ever."""
    write(attempt, 1, 10)
    write(attempt, 11, 10)
    assert "end" not in read_range(attempt.pk)
    end(attempt)
    part = read_range(attempt.pk, from_line=1)
    while "end" not in part:
        assert part["seq"] < part["last"]
        part = read_range(attempt.pk, after_seq=part["seq"])
    assert part["seq"] == part["last"]
    assert (part["end"]["outcome"], part["end"]["lines"]) == ("completed", 20)


def test_a_long_log_opens_at_its_tail_with_the_rest_as_a_gap(
    attempt: Attempt, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_feed, "BEHIND_BYTES", 2 * 2**20)
    monkeypatch.setattr(log_feed, "TAIL_BYTES", 2**19)
    megabyte = b"x" * 2**20 + b"\n"
    frames = [LogFrame(Stream.STDOUT, 1, megabyte, True, True)] * 4

    async def scenario() -> None:
        await in_database(write_frames, attempt, frames)
        await in_database(end, attempt)
        reader = Reader(attempt)
        async with live(key) as browser:
            reader.open(browser)
            while reader.ended is None:
                await reader.take(browser)
        assert len(reader.gaps) == 1
        assert set(reader.numbers) == {4}

    run(scenario())


def test_many_viewers_of_one_log_all_get_every_line(attempt: Attempt, key: str) -> None:
    async def scenario() -> None:
        readers = [Reader(attempt) for _ in range(5)]
        async with live(key) as a, live(key) as b, live(key) as c, live(key) as d, live(key) as e:
            browsers = [a, b, c, d, e]
            for reader, browser in zip(readers, browsers, strict=True):
                reader.open(browser)
            for first in range(1, 101, 5):
                await in_database(write, attempt, first, 5)
            pairs = zip(readers, browsers, strict=True)
            await asyncio.gather(*(reader.take_until(browser, 100) for reader, browser in pairs))
        assert all(reader.numbers == list(range(1, 101)) for reader in readers)

    run(scenario())


def test_a_deleted_job_ends_its_log(attempt: Attempt, key: str) -> None:
    async def scenario() -> None:
        async with live(key) as browser:
            browser.say("log", job=attempt.job_id, attempt=1, after=0)
            await in_database(write, attempt, 1, 1)
            await browser.hear("log")
            await in_database(Job.objects.all().delete)
            assert (await browser.hear("end"))["state"] == "deleted"

    run(scenario())


def test_following_gives_all_lines_and_ends_with_the_attempt(attempt: Attempt) -> None:
    async def scenario() -> None:
        numbers: list[int] = []

        async def read() -> None:
            async for items in follow(attempt.pk, attempt.job_id):
                for item in items:
                    assert isinstance(item, Stretch)
                    numbers.extend(piece.line for piece in item.pieces)

        reading = asyncio.ensure_future(read())
        for first in range(1, 41, 4):
            await in_database(write, attempt, first, 4)
        await in_database(end, attempt)
        async with asyncio.timeout(10):
            await reading
        assert numbers == list(range(1, 41))

    hub.start_with(lambda: None)  # no relay: the poll alone must do
    run(scenario())
