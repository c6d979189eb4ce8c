"""Reading a stored log: from a place, from the end, per stream, in the table or archived."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from jobs.log import reading as logs
from jobs.log.archive import Gap, archive_log
from jobs.log.frames import Piece, Position, unpack
from jobs.log.reading import LogLine, position, raw_bytes, read_lines, tail_lines
from jobs.log.seek import seq_before_line, seq_before_tail
from jobs.log.words import last_words
from jobs.models import Attempt, LogChunk
from providers.driver import LogFrame, Stream
from tests.support.attempts import make_attempt
from tests.support.log_rows import append, lines

pytestmark = pytest.mark.django_db


def numbers(found: Iterable[LogLine | Gap]) -> list[int]:
    return [line.number for line in found if isinstance(line, LogLine)]


def written(text: bytes, stream: Stream = Stream.STDOUT, *, starts: bool = True) -> LogFrame:
    return LogFrame(stream, 1_800_000_000_000_000_000, text, starts, text.endswith(b"\n"))


def a_log_of(count: int, *, per_chunk: int, phase: str = "running") -> Attempt:
    attempt = make_attempt(phase=phase)
    for first in range(1, count + 1, per_chunk):
        append(attempt, lines(first, min(per_chunk, count + 1 - first)))
    return attempt


@pytest.fixture(params=["in the table", "archived", "half archived"])
def log(request: pytest.FixtureRequest) -> Attempt:
    attempt = a_log_of(300, per_chunk=7, phase="ended")
    if request.param != "in the table":
        archive_log(attempt.pk)
    if request.param == "half archived":
        for first in range(301, 401, 7):
            append(attempt, lines(first, min(7, 401 - first)))
    attempt.refresh_from_db()
    return attempt


def test_every_line_is_read_once_and_in_order(log: Attempt) -> None:
    assert numbers(read_lines(log.pk)) == list(range(1, log.log_lines + 1))


@pytest.mark.parametrize("after", [0, 1, 20, 42])
def test_reading_goes_on_after_a_seq_without_loss_or_doubling(log: Attempt, after: int) -> None:
    before = [
        line.number
        for line in read_lines(log.pk)
        if isinstance(line, LogLine) and line.seq <= after
    ]
    assert before + numbers(read_lines(log.pk, after_seq=after)) == numbers(read_lines(log.pk))


@pytest.mark.parametrize("line", [1, 2, 7, 8, 150, 299, 300])
def test_a_line_is_found_without_reading_what_is_before_it(log: Attempt, line: int) -> None:
    assert numbers(read_lines(log.pk, from_line=line)) == list(range(line, log.log_lines + 1))
    after = seq_before_line(log.pk, line)
    assert 0 <= line - next(iter(numbers(read_lines(log.pk, after_seq=after)))) < 7


@pytest.mark.parametrize("count", [1, 5, 50, 100_000])
def test_the_tail_is_the_last_lines(log: Attempt, count: int) -> None:
    expected = list(range(1, log.log_lines + 1))[-count:]
    assert numbers(tail_lines(log.pk, count)) == expected


def test_a_tail_in_chunks_keeps_to_its_lines_and_its_bytes(log: Attempt) -> None:
    last = numbers(read_lines(log.pk, after_seq=seq_before_tail(log.pk, 30)))
    assert last[-1] == log.log_lines
    assert 30 - 7 < len(last) <= 30
    few = numbers(read_lines(log.pk, after_seq=seq_before_tail(log.pk, 30, most_bytes=1)))
    assert few[-1] == log.log_lines
    assert len(few) <= 7


def test_an_empty_log_has_no_lines_and_no_tail() -> None:
    attempt = make_attempt()
    assert list(read_lines(attempt.pk)) == []
    assert tail_lines(attempt.pk, 10) == []
    assert seq_before_tail(attempt.pk, 10) == seq_before_line(attempt.pk, 10) == 0
    assert position(attempt.pk) == Position()


def test_streams_are_read_apart_byte_for_byte() -> None:
    attempt = make_attempt()
    out, err = b"\x00\xff\xfe not text\n", b"\x1b[31mred\r\n<script>"
    append(attempt, [written(out), written(err, Stream.STDERR), written(b"end")])
    assert b"".join(raw_bytes(attempt.pk, stream=Stream.STDOUT)) == out + b"end"
    assert b"".join(raw_bytes(attempt.pk, stream=Stream.STDERR)) == err
    assert b"".join(raw_bytes(attempt.pk)) == out + err + b"end"


def test_the_tail_of_a_rare_stream_reaches_back_as_far_as_it_must() -> None:
    attempt = make_attempt()
    append(attempt, [written(b"rare\n", Stream.STDERR)])
    append(attempt, lines(2, 500))
    (found,) = tail_lines(attempt.pk, 3, stream=Stream.STDERR)
    assert isinstance(found, LogLine)
    assert (found.number, found.text()) == (1, "rare")


@pytest.mark.parametrize("archived", [False, True])
def test_a_writer_that_takes_over_goes_on_with_the_unfinished_lines(archived: bool) -> None:
    attempt = make_attempt(phase="ended")
    append(attempt, [written(b"done\n"), written(b"half ", Stream.STDERR)])
    append(attempt, [written(b"a line\n"), written(b"open")])
    if archived:
        archive_log(attempt.pk)
    found = position(attempt.pk)
    assert (found.seq, found.lines, found.open_stdout, found.open_stderr) == (2, 4, 4, 2)


@pytest.mark.parametrize("archived", [False, True])
def test_a_tail_of_a_line_as_long_as_a_log_begins_near_the_end_and_says_so(archived: bool) -> None:
    attempt = make_attempt(phase="ended")
    append(attempt, [written(b"first\n"), written(b"x" * 600_000 + b"the end\n")])
    if archived:
        archive_log(attempt.pk)
    cut, *rest = tail_lines(attempt.pk, 2, most_bytes=100_000)
    assert isinstance(cut, Gap)
    assert (cut.first_line, cut.lines) == (1, 2)
    assert "the log's last 97 KiB" in cut.why
    data = b"".join(line.data for line in rest if isinstance(line, LogLine))
    assert data.endswith(b"the end\n")
    assert len(data) <= 100_000


def test_a_tail_without_a_line_of_its_stream_near_the_end_says_that_it_was_not_looked_for() -> None:
    attempt = make_attempt()
    append(attempt, [written(b"rare\n", Stream.STDERR)])
    append(attempt, [written(b"x" * 600_000 + b"\n")])
    (cut,) = tail_lines(attempt.pk, 1, stream=Stream.STDERR, most_bytes=100_000)
    assert isinstance(cut, Gap)


def test_the_last_words_of_an_endless_line_are_those_near_its_end() -> None:
    attempt = make_attempt(phase="ended")
    append(attempt, [written(b"begin" + b"x" * 600_000)])
    attempt.refresh_from_db()
    (line,) = last_words(attempt).lines
    assert line.text.startswith("…xxx")


@pytest.mark.parametrize("archived", [False, True])
def test_a_writer_that_takes_over_opens_one_chunk_of_each_stream_however_long_its_log(
    archived: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = make_attempt(phase="ended")
    append(attempt, [written(b"a rare lin", Stream.STDERR)])
    for first in range(2, 202, 10):
        append(attempt, lines(first, 10))
    if archived:
        archive_log(attempt.pk)
    opened: list[int] = []

    def counting(*, first_line: int, **stored: Any) -> list[Piece]:
        opened.append(first_line)
        return unpack(first_line=first_line, **stored)

    monkeypatch.setattr(logs, "unpack", counting)
    found = position(attempt.pk)
    assert (found.open_stdout, found.open_stderr) == (0, 1)
    assert sorted(opened) == [1, 192]


def test_a_writer_that_takes_over_begins_a_new_line_where_the_last_is_lost() -> None:
    attempt = make_attempt(phase="ended")
    append(attempt, [written(b"half a lin")])
    LogChunk.objects.filter(attempt=attempt).update(body=b"rot")
    assert position(attempt.pk).open_stdout == 0


def test_rotten_bytes_come_as_a_gap_and_the_rest_is_still_read() -> None:
    attempt = a_log_of(30, per_chunk=10)
    LogChunk.objects.filter(attempt=attempt, seq=2).update(body=b"rot")
    found = list(read_lines(attempt.pk))
    (gap,) = [item for item in found if isinstance(item, Gap)]
    assert (gap.first_seq, gap.last_seq, gap.first_line, gap.lines) == (2, 2, 11, 10)
    assert numbers(found) == [*range(1, 11), *range(21, 31)]
    assert b"lines 11 to 20 are missing" in b"".join(raw_bytes(attempt.pk))
