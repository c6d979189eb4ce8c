"""The output file of a run: whole records, several segments, and losses that are told."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from providers.driver import Stream
from providers.drivers.process import files, journal
from providers.drivers.process.journal import HEADER, STDERR, STDOUT, JournalWriter
from providers.drivers.process.logs import ProcessLogStream
from providers.drivers.process.run import Run
from tests.contract.process_stage import ProcessStage
from tests.contract.stage import Reading, read

UID = "run"


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[ProcessStage]:
    stage = ProcessStage(tmp_path)
    yield stage
    stage.sweep()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / UID
    folder.mkdir()
    return folder


def reading_of(folder: Path, cursor: dict[str, object] | None = None) -> Reading:
    run = Run(str(folder.parent), UID)
    return read(ProcessLogStream(run, threading.Event(), cursor, follow=False))


def numbers_of(reading: Reading) -> list[int]:
    return [int(line.split()[1]) for line in reading.text(Stream.STDOUT).splitlines()]


def test_output_over_several_segments_reads_as_one(folder: Path) -> None:
    writer = JournalWriter(str(folder), segment_bytes=500, segments=100)
    expected = {Stream.STDOUT: b"", Stream.STDERR: b""}
    for number in range(200):
        stream = STDERR if number % 3 == 0 else STDOUT
        data = f"record {number}{'' if number % 5 else chr(10)}".encode()
        writer.write(stream, number, data)
        expected[Stream.STDERR if number % 3 == 0 else Stream.STDOUT] += data
    writer.close()
    assert len(journal.segment_numbers(str(folder))) > 5

    reading = reading_of(folder)

    assert {stream: reading.text(stream) for stream in Stream} == expected
    assert not any(batch.gap for batch in reading.batches)


def test_a_reader_that_was_too_late_is_told_of_the_gap_and_goes_on(folder: Path) -> None:
    writer = JournalWriter(str(folder), segment_bytes=500, segments=3)
    writer.write(STDOUT, 1, b"line 0\n")
    first = reading_of(folder)
    for number in range(1, 200):
        writer.write(STDOUT, 1, f"line {number}\n".encode())
    writer.close()

    rest = reading_of(folder, dict(first.batches[-1].cursor))

    assert len(journal.segment_numbers(str(folder))) == 3
    assert bool(rest.batches[0].gap)
    assert not any(batch.gap for batch in rest.batches[1:])
    numbers = numbers_of(rest)
    assert numbers == list(range(numbers[0], 200))
    assert numbers[0] > 1


def test_a_follower_that_falls_behind_gets_its_segment_to_the_end_and_then_the_gap(
    folder: Path,
) -> None:
    writer = JournalWriter(str(folder), segment_bytes=500, segments=3)
    writer.write(STDOUT, 1, b"line 0\n")
    run = Run(str(folder.parent), UID)
    stream = ProcessLogStream(run, threading.Event(), None, follow=True)
    batches = iter(stream)
    reading = Reading([next(batches)])

    for number in range(1, 200):
        writer.write(STDOUT, 1, f"line {number}\n".encode())
    writer.close()
    reading.batches += [next(batches), next(batches)]
    stream.close()

    assert [bool(batch.gap) for batch in reading.batches] == [False, False, True]
    numbers = numbers_of(reading)
    jumps = [(a, b) for a, b in pairwise(numbers) if b != a + 1]
    assert len(jumps) == 1
    assert (numbers[0], numbers[-1]) == (0, 199)
    # The gap is told again to whoever resumes before it, and to nobody who resumes after it.
    assert reading_of(folder, dict(reading.batches[1].cursor)).batches[0].gap
    assert reading_of(folder, dict(reading.batches[2].cursor)).batches == []


def test_a_record_that_is_not_all_there_yet_waits(folder: Path) -> None:
    path = folder / "output.0"
    whole = HEADER.pack(STDOUT, 1, 5) + b"whole"
    late = HEADER.pack(STDOUT, 2, 5) + b"later"
    for cut in range(len(late)):
        path.write_bytes(whole + late[:cut])
        assert reading_of(folder).text(Stream.STDOUT) == b"whole"
    path.write_bytes(whole + late)

    assert reading_of(folder).text(Stream.STDOUT) == b"wholelater"


def test_what_was_written_just_before_the_end_was_seen_is_read(folder: Path) -> None:
    writer = JournalWriter(str(folder))

    class EndingNow(Run):
        """Writes its last words at the very moment at which somebody asks whether it is over."""

        def is_over(self) -> bool:
            if not super().is_over():
                writer.write(STDOUT, 1, b"last words\n")
                (folder / files.ENDED).write_text("{}")
            return True

    run = EndingNow(str(folder.parent), UID)
    reading = read(ProcessLogStream(run, threading.Event(), None, follow=True))
    writer.close()

    assert reading.text(Stream.STDOUT) == b"last words\n"


def test_a_full_disk_loses_output_and_says_how_much(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = JournalWriter(str(folder))
    writer.write(STDOUT, 1, b"before\n")
    with monkeypatch.context() as full:
        real = os.write

        def half(fd: int, data: memoryview) -> int:
            if len(data) > 8:
                return real(fd, data[:8])
            raise OSError(errno.ENOSPC, "no space")

        full.setattr(os, "write", half)
        writer.write(STDOUT, 2, b"lost")
        writer.write(STDOUT, 3, b"lost too")
    writer.write(STDOUT, 4, b"after\n")
    writer.close()

    reading = reading_of(folder)

    assert reading.text(Stream.STDOUT) == b"before\nafter\n"
    gaps = [batch.gap for batch in reading.batches if batch.gap]
    assert gaps == ["12 bytes of output were lost: the disk was full"]


def test_stamps_never_go_back_though_the_clock_may(folder: Path) -> None:
    writer = JournalWriter(str(folder))
    for at_ns in (5, 3, 9, 1):
        writer.write(STDOUT, at_ns, b"x\n")
    writer.close()

    assert [frame.at_ns for frame in reading_of(folder).frames] == [5, 5, 9, 9]


def test_a_program_that_prints_much_unread_keeps_its_newest_output(stage: ProcessStage) -> None:
    small = stage.build(log_segment_bytes=64 * 1024)
    spec = stage.spec(stage.script("head -c 3000000 /dev/zero; echo the end"))
    handle = small.create(spec)
    small.start(handle)
    stage.ended(handle)

    reading = read(small.logs(handle, None, follow=False))

    assert reading.batches[0].gap
    assert reading.text(Stream.STDOUT).endswith(b"the end\n")
    size = sum(path.stat().st_size for path in stage.folder(handle).glob("output.*"))
    assert size <= journal.SEGMENTS * (64 * 1024 + 64 * 1024)
