"""Writing logs: grouped, bounded, and each byte once, whatever becomes of the database."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import cast

import pytest

from jobs.log.frames import Position, unpack
from jobs.log.store import Append
from jobs.stat_pages import Reading
from jobs.stat_store import Measured
from orchestrator.loop import log_writer
from orchestrator.loop.log_writer import (
    BUFFER_BYTES,
    FLUSH_SECONDS,
    FRAME_BYTES,
    LogLost,
    LogRefused,
    LogWriter,
)
from orchestrator.store import Store
from providers.driver import LogBatch, LogFrame, Stream
from providers.leases import Fence
from tests.support.ledger import Ledger
from tests.support.waiting import wait_until

FENCE = Fence("provider:1", 1)


def batch(data: bytes, number: int = 1, gap: str = "") -> LogBatch:
    return LogBatch((LogFrame(Stream.STDOUT, number, data, True, True),), {"n": number}, gap)


def stored(ledger: Ledger, attempt: int) -> bytes:
    """What stands in the store, by its chunks."""
    return b"".join(
        piece.frame.data
        for append in ledger.appends
        if append.attempt == attempt
        for chunk in append.chunks
        for piece in unpack(
            codec=chunk.codec, body=chunk.body, crc32=chunk.crc32, first_line=chunk.first_line
        )
    )


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def writer(ledger: Ledger) -> LogWriter:
    return LogWriter(cast(Store, ledger))


def written(writer: LogWriter, future: Future[None]) -> None:
    """One round, after which the future must be answered."""
    writer.run_once()
    assert future.done()
    future.result()


def test_all_attempts_of_a_moment_are_written_together(ledger: Ledger, writer: LogWriter) -> None:
    sinks = [writer.sink(n, FENCE, Position()) for n in (1, 2, 3)]
    for sink in sinks:
        sink.write(batch(b"line of %d\n" % sink.attempt))
    written(writer, sinks[0].flush())
    assert [append.attempt for append in ledger.appends] == [1, 2, 3]
    assert stored(ledger, 2) == b"line of 2\n"


def test_a_flush_of_a_log_with_nothing_to_write_is_done_at_once(writer: LogWriter) -> None:
    assert writer.sink(1, FENCE, Position()).flush().done()


def test_a_flush_waits_for_what_is_being_written(ledger: Ledger, writer: LogWriter) -> None:
    """Otherwise an end could be told before the last of the log is safe."""
    sink = writer.sink(1, FENCE, Position())
    ledger.gate.clear()
    writer.start(lambda name: None)
    try:
        sink.write(batch(b"last words\n"))
        assert ledger.at_gate.wait(2), "woken: by itself it looks each five seconds"
        asked = sink.flush()
        assert not asked.done()
        ledger.gate.set()
        asked.result(10)
        assert stored(ledger, 1) == b"last words\n"
    finally:
        ledger.gate.set()
        writer.stop()
        assert writer.join(10)


def measured(attempt: int) -> Measured:
    return Measured(attempt, FENCE, Reading(datetime.now(UTC), 100, 2**20))


def test_readings_go_with_the_logs_of_their_moment(ledger: Ledger, writer: LogWriter) -> None:
    sink = writer.sink(1, FENCE, Position())
    sink.write(batch(b"a line\n"))
    writer.take_reading(measured(1))
    writer.take_reading(measured(2))
    written(writer, sink.flush())
    assert (len(ledger.appends), [m.attempt for m in ledger.measured]) == (1, [1, 2])


def test_readings_that_do_not_get_through_are_lost_and_logs_are_not(
    ledger: Ledger, writer: LogWriter
) -> None:
    sink = writer.sink(1, FENCE, Position())
    sink.write(batch(b"a line\n"))
    writer.take_reading(measured(1))
    ledger.breaks.append("before")
    written(writer, sink.flush())
    assert (stored(ledger, 1), ledger.measured) == (b"a line\n", [])


def test_readings_that_no_database_takes_keep_no_log_away(
    ledger: Ledger, writer: LogWriter
) -> None:
    ledger.poisonous.add(2)
    sink = writer.sink(1, FENCE, Position())
    sink.write(batch(b"a line\n"))
    writer.take_reading(measured(2))
    written(writer, sink.flush())
    assert (stored(ledger, 1), ledger.measured) == (b"a line\n", [])


def test_readings_alone_wait_for_no_database(ledger: Ledger, writer: LogWriter) -> None:
    writer.take_reading(measured(1))
    ledger.breaks.append("before")
    writer.run_once()
    assert ledger.measured == []
    writer.run_once()


def test_the_cursor_is_stored_with_the_bytes_it_follows(ledger: Ledger, writer: LogWriter) -> None:
    sink = writer.sink(1, FENCE, Position())
    sink.write(batch(b"a\n", 1))
    sink.write(batch(b"b\n", 2))
    written(writer, sink.flush())
    assert ledger.appends[0].cursor == {"n": 2}
    assert stored(ledger, 1) == b"a\nb\n"


@pytest.mark.parametrize("how", ["before", "after"])
def test_a_broken_database_neither_loses_nor_doubles_a_byte(
    ledger: Ledger, writer: LogWriter, how: str
) -> None:
    sink = writer.sink(1, FENCE, Position())
    sink.write(batch(b"one\n", 1))
    ledger.breaks.extend([how, "before"])
    written(writer, sink.flush())
    sink.write(batch(b"two\n", 2))
    written(writer, sink.flush())
    assert stored(ledger, 1) == b"one\ntwo\n"
    assert not sink.lost


def test_of_two_readings_of_a_log_the_earlier_is_let_go_whichever_brings_something_last(
    ledger: Ledger, writer: LogWriter
) -> None:
    """One that was let go may be in the middle of a line when the next one begins."""
    earlier, later = (writer.sink(1, FENCE, Position()) for _ in range(2))
    later.write(batch(b"hello\n"))
    with pytest.raises(LogLost):
        earlier.write(batch(b"hello\n"))
    later.write(batch(b"world\n", 2))
    written(writer, later.flush())
    assert stored(ledger, 1) == b"hello\nworld\n"


def test_a_log_that_grew_by_another_hand_is_let_go(ledger: Ledger, writer: LogWriter) -> None:
    ledger.log_at[1] = 5
    sink = writer.sink(1, FENCE, Position())
    other = writer.sink(2, FENCE, Position())
    sink.write(batch(b"mine\n"))
    other.write(batch(b"its own\n"))
    future = sink.flush()
    writer.run_once()
    with pytest.raises(LogLost):
        future.result(0)
    with pytest.raises(LogLost):
        sink.write(batch(b"more\n"))
    assert stored(ledger, 1) == b""
    assert stored(ledger, 2) == b"its own\n"


def test_a_writer_without_its_lease_writes_nothing(ledger: Ledger, writer: LogWriter) -> None:
    ledger.fenced.add(1)
    sink = writer.sink(1, FENCE, Position())
    sink.write(batch(b"stale\n"))
    writer.flush(sink)
    writer.run_once()
    assert sink.lost
    assert ledger.appends == []


def test_output_that_cannot_be_stored_keeps_no_other_log_away(
    ledger: Ledger, writer: LogWriter
) -> None:
    ledger.poisonous.add(2)
    sinks = [writer.sink(n, FENCE, Position()) for n in (1, 2, 3, 4)]
    for sink in sinks[:3]:
        sink.write(batch(b"line of %d\n" % sink.attempt))
    sinks[3].write(batch(b"from before the epoch\n", number=-1))
    futures = [sink.flush() for sink in sinks]
    writer.run_once()
    for good in (0, 2):
        futures[good].result(0)
        assert stored(ledger, good + 1) == b"line of %d\n" % (good + 1)
    for bad in (1, 3):
        with pytest.raises(LogRefused, match="its output cannot be stored"):
            futures[bad].result(0)
        with pytest.raises(LogRefused):
            sinks[bad].write(batch(b"more\n"))
    assert [sink.lost for sink in sinks] == [False, True, False, True]


def test_a_later_reading_of_a_log_ends_the_one_before_it(ledger: Ledger, writer: LogWriter) -> None:
    before, after = writer.sink(1, FENCE, Position()), writer.sink(1, FENCE, Position())
    before.write(batch(b"half\n"))
    waits = before.flush()
    after.write(batch(b"half and whole\n"))
    with pytest.raises(LogLost):
        waits.result(0)
    written(writer, after.flush())
    assert stored(ledger, 1) == b"half and whole\n"


def test_a_flood_waits_for_the_writer_instead_of_growing(ledger: Ledger, writer: LogWriter) -> None:
    sink = writer.sink(1, FENCE, Position())
    piece = b"x" * (1 << 16) + b"\n"
    pieces = 4 * BUFFER_BYTES // len(piece)

    def flood() -> None:
        for n in range(pieces):
            sink.write(batch(piece, n + 1))

    reader = threading.Thread(target=flood)
    reader.start()
    most = 0

    def over() -> bool:
        nonlocal most
        most = max(most, sink.size)
        writer.flush(sink)
        writer.run_once()
        return not reader.is_alive()

    wait_until(over, 20, "the flood has passed")
    reader.join(5)
    writer.flush(sink)
    writer.run_once()
    assert most <= BUFFER_BYTES + len(piece) + FRAME_BYTES
    assert stored(ledger, 1) == piece * pieces


def test_empty_lines_fill_the_buffer_too(writer: LogWriter) -> None:
    sink = writer.sink(1, FENCE, Position())
    frame = LogFrame(Stream.STDOUT, 1, b"\n", True, True)
    sink.write(LogBatch((frame,) * 1000, {"n": 1}))
    assert sink.size >= 1000 * FRAME_BYTES


def test_a_reader_that_waits_has_room_again_while_its_log_is_being_written(
    ledger: Ledger, writer: LogWriter
) -> None:
    sink = writer.sink(1, FENCE, Position())
    sink.write(batch(b"x" * BUFFER_BYTES + b"\n"))
    waits = threading.Thread(target=sink.write, args=(batch(b"more\n", 2),))
    waits.start()
    ledger.gate.clear()
    writing = threading.Thread(target=writer.run_once)
    writing.start()
    try:
        assert ledger.at_gate.wait(10)
        waits.join(0.9 * log_writer.ROOM_SECONDS)  # by itself it looks only after that
        assert not waits.is_alive()
    finally:
        ledger.gate.set()
        writing.join(10)
        waits.join(10)


def test_the_time_that_a_write_takes_counts_of_the_pause_after_it(
    ledger: Ledger, writer: LogWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(log_writer, "monotonic", lambda: now)
    store = ledger.append_logs

    def slowly(appends: Sequence[Append], measured: Sequence[Measured] = ()) -> set[int]:
        nonlocal now
        now += 0.75 * FLUSH_SECONDS
        sink.write(batch(b"meanwhile\n", 2))
        return store(appends, measured)

    monkeypatch.setattr(ledger, "append_logs", slowly)
    sink = writer.sink(1, FENCE, Position())
    sink.write(batch(b"first\n"))
    writer.run_once()
    assert writer.next_wait() == pytest.approx(0.25 * FLUSH_SECONDS)


def test_a_reader_that_waits_for_room_is_freed_when_the_process_ends(writer: LogWriter) -> None:
    sink = writer.sink(1, FENCE, Position())
    ended: Future[None] = Future()

    def flood() -> None:
        try:
            while True:
                sink.write(batch(b"y" * (1 << 18) + b"\n"))
        except LogLost as lost:
            ended.set_exception(lost)

    reader = threading.Thread(target=flood)
    reader.start()
    wait_until(lambda: sink.size > BUFFER_BYTES, 10, "the buffer is full")
    writer.stop()
    with pytest.raises(LogLost):
        ended.result(10)
    reader.join(5)


def test_a_known_gap_is_stored_as_the_logs_note(ledger: Ledger, writer: LogWriter) -> None:
    sink = writer.sink(1, FENCE, Position())
    sink.write(batch(b"after\n", 9, gap="the engine had rotated it away"))
    written(writer, sink.flush())
    assert sink.gap
    assert ledger.appends[0].note == "the engine had rotated it away"


def test_ending_writes_what_is_left(ledger: Ledger, writer: LogWriter) -> None:
    sink = writer.sink(1, FENCE, Position())
    sink.write(batch(b"first\n", 1))
    written(writer, sink.flush())
    sink.write(batch(b"last\n", 2))  # too early for the next round by itself
    writer.stop()
    writer.finish()
    assert stored(ledger, 1) == b"first\nlast\n"
