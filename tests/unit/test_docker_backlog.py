"""A log that was first read when much of it stood there may have lost its beginning."""

from __future__ import annotations

from providers.driver import LogBatch, LogFrame, Stream
from providers.drivers.docker.backlog import BEGINNING, Backlog

ASKED = 1000
FILE, FILES = 10_000, 4


def batch(at_ns: int, size: int = 972, count: int = 1) -> LogBatch:
    frame = LogFrame(Stream.STDOUT, at_ns, b"x" * (size - 1) + b"\n", True, True)
    return LogBatch((frame,) * count, {"v": 1})


def test_what_fits_into_the_files_that_are_always_there_is_whole() -> None:
    backlog = Backlog(FILE, FILES)
    assert [backlog.judged(batch(1), ASKED).gap for _ in range(29)] == [""] * 29


def test_what_fills_them_may_have_had_a_beginning_that_is_gone_and_that_is_told_once() -> None:
    backlog = Backlog(FILE, FILES)
    gaps = [backlog.judged(batch(1), ASKED).gap for _ in range(40)]
    assert [gap for gap in gaps if gap] == [BEGINNING]


def test_what_is_written_while_it_is_read_does_not_count_however_much_it_is() -> None:
    backlog = Backlog(FILE, FILES)
    assert not backlog.judged(batch(1, count=20), ASKED).gap
    assert not any(backlog.judged(batch(ASKED + n), ASKED).gap for n in range(100))


def test_the_first_question_counts_when_the_reading_goes_on_with_another() -> None:
    backlog = Backlog(FILE, FILES)
    backlog.judged(batch(1), ASKED)
    assert not any(backlog.judged(batch(ASKED + n), ASKED * 9).gap for n in range(100))
