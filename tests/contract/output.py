"""Contract: output arrives byte for byte, once, and reading can go on from any cursor."""

from __future__ import annotations

import json
import threading

import pytest

from providers.driver import GONE_UNREAD, LogFrame, RunState, Stream
from tests.contract.stage import DEADLINE, READY, Reading, Stage, read

OUT, ERR = Stream.STDOUT, Stream.STDERR

HOSTILE = (
    (OUT, b"plain\n"),
    (ERR, b"a warning\n"),
    (OUT, b"nul \x00 inside\n"),
    (OUT, b"broken \xff\xfe utf-8 \xc3\n"),
    (ERR, b"\x1b[31mred\x1b[0m <script>alert(1)</script>\r\n"),
    (OUT, b"\n\n"),
    (OUT, "grüße ✓\n".encode()),
    (OUT, b"begun, "),
    (ERR, b"meanwhile\n"),
    (OUT, b"ended\n"),
    (OUT, b"50% \\ 'quoted' \"too\"\r"),
    (ERR, b"no newline at the end"),
)


class OutputContract:
    def test_output_is_byte_exact_for_each_stream(self, stage: Stage) -> None:
        handle = stage.run(stage.printing(*HOSTILE))

        reading = read(stage.driver.logs(handle, None, follow=False))

        for stream in Stream:
            expected = b"".join(data for name, data in HOSTILE if name is stream)
            assert reading.text(stream) == expected
        assert_lines_are_marked(reading.frames)
        assert all(batch.gap == "" for batch in reading.batches)

    def test_a_line_of_a_mebibyte_comes_in_pieces(self, stage: Stage) -> None:
        handle = stage.run(stage.long_line(1024 * 1024))

        frames = read(stage.driver.logs(handle, None, follow=True)).frames

        assert sum(len(frame.data) for frame in frames) == 1024 * 1024
        assert len(frames) > 1
        assert [frame.starts_line for frame in frames] == [True] + [False] * (len(frames) - 1)
        assert frames[-1].ends_line
        assert_lines_are_marked(frames)

    def test_output_is_stamped_by_the_engine_within_the_run(self, stage: Stage) -> None:
        handle = stage.run(stage.ticking(5, 0.5))
        seen = stage.driver.observe(handle)

        stamps = [f.at_ns for f in read(stage.driver.logs(handle, None, follow=False)).frames]

        assert seen.started_at is not None
        assert seen.finished_at is not None
        assert stamps == sorted(stamps)
        assert stamps[0] / 1e9 >= seen.started_at.timestamp() - 1
        assert stamps[-1] / 1e9 <= seen.finished_at.timestamp() + 1

    def test_following_delivers_while_the_program_runs_and_ends_with_it(self, stage: Stage) -> None:
        handle = stage.start(stage.ticking(10, 1.5))
        states = []
        reading = Reading()

        for batch in stage.driver.logs(handle, None, follow=True):
            states.append(stage.driver.observe(handle).state)
            reading.batches.append(batch)

        assert states[0] is RunState.RUNNING
        assert reading.text(OUT) == lines(10)
        assert stage.ended(handle).exit_code == 0

    def test_a_line_that_was_written_in_two_goes_is_one_line(self, stage: Stage) -> None:
        handle = stage.start(
            stage.printing((OUT, b"begun, "), (OUT, b"and ended\n"), pause_seconds=0.5)
        )

        reading = read(stage.driver.logs(handle, None, follow=True))

        assert reading.text(OUT) == b"begun, and ended\n"
        assert_lines_are_marked(reading.frames)

    def test_reading_without_following_ends_at_what_is_there(self, stage: Stage) -> None:
        handle = stage.start_ready(stage.sleeping())

        reading = read(stage.driver.logs(handle, None, follow=False))

        assert reading.text(OUT) == READY
        assert stage.driver.observe(handle).state is RunState.RUNNING

    def test_resuming_from_every_cursor_neither_loses_nor_doubles(self, stage: Stage) -> None:
        handle = stage.start(stage.ticking(12, 1.2))
        whole = read(stage.driver.logs(handle, None, follow=True))
        assert whole.text(OUT) == lines(12)
        assert len(whole.batches) > 2

        for at, batch in enumerate(whole.batches):
            cursor = json.loads(json.dumps(batch.cursor))
            before = [frame for one in whole.batches[: at + 1] for frame in one.frames]
            rest = read(stage.build().logs(handle, cursor, follow=False))

            assert b"".join(f.data for f in before) + rest.text(OUT) == lines(12)
            assert_lines_are_marked(before + rest.frames)
            assert all(one.gap == "" for one in rest.batches)

    def test_resuming_inside_a_line_goes_on_inside_it(self, stage: Stage) -> None:
        pieces = [(OUT, f"piece {n}, ".encode()) for n in range(6)] + [(OUT, b"the end\n")]
        handle = stage.start(stage.printing(*pieces, pause_seconds=0.1))
        whole = read(stage.driver.logs(handle, None, follow=True))

        for at, batch in enumerate(whole.batches):
            before = [frame for one in whole.batches[: at + 1] for frame in one.frames]
            rest = read(stage.driver.logs(handle, batch.cursor, follow=False))

            together = before + rest.frames
            assert b"".join(f.data for f in together) == b"".join(data for _, data in pieces)
            assert_lines_are_marked(together)

    def test_a_cut_reading_resumes_while_the_program_still_runs(self, stage: Stage) -> None:
        handle = stage.start(stage.ticking(10, 1.5))
        first = Reading()
        stream = stage.driver.logs(handle, None, follow=True)
        for batch in stream:
            first.batches.append(batch)
            stream.close()
        assert stage.driver.observe(handle).state is RunState.RUNNING

        rest = read(stage.build().logs(handle, first.batches[-1].cursor, follow=True))

        assert first.text(OUT) + rest.text(OUT) == lines(10)

    def test_two_readers_get_the_same(self, stage: Stage) -> None:
        handle = stage.start(stage.ticking(6, 0.6))
        other = Reading()
        stream = stage.driver.logs(handle, None, follow=True)
        thread = threading.Thread(target=lambda: other.batches.extend(stream))
        thread.start()

        one = read(stage.driver.logs(handle, None, follow=True))
        thread.join(DEADLINE)

        assert one.frames == other.frames
        assert one.text(OUT) == lines(6)

    def test_closing_from_another_thread_ends_a_waiting_reader(self, stage: Stage) -> None:
        handle = stage.start_ready(stage.sleeping())
        stream = stage.driver.logs(handle, None, follow=True)
        reading = Reading()
        got_some = threading.Event()
        errors: list[BaseException] = []

        def follow() -> None:
            try:
                for batch in stream:
                    reading.batches.append(batch)
                    got_some.set()
            except BaseException as error:  # shown below, in the test's own thread
                errors.append(error)

        reader = threading.Thread(target=follow)
        reader.start()
        assert got_some.wait(DEADLINE)
        assert reader.is_alive()

        stream.close()
        reader.join(3)

        assert not reader.is_alive()
        assert errors == []
        assert reading.text(OUT) == READY
        stream.close()
        assert stage.driver.observe(handle).state is RunState.RUNNING

    def test_a_stream_closed_before_it_is_read_delivers_nothing(self, stage: Stage) -> None:
        handle = stage.start_ready(stage.sleeping())
        stream = stage.driver.logs(handle, None, follow=True)

        stream.close()

        assert read(stream).batches == []

    @pytest.mark.parametrize("follow", [False, True])
    def test_the_output_of_what_is_gone_is_told_to_be_lost(
        self, stage: Stage, follow: bool
    ) -> None:
        handle = stage.run(stage.printing((OUT, b"here\n")))
        stage.driver.remove(handle, force=False)

        (batch,) = read(stage.driver.logs(handle, None, follow=follow)).batches
        assert (batch.frames, batch.gap) == ((), GONE_UNREAD)
        (again,) = read(stage.driver.logs(handle, batch.cursor, follow=follow)).batches
        assert again == batch


def lines(count: int) -> bytes:
    return b"".join(f"line {n} of {count}\n".encode() for n in range(1, count + 1))


def assert_lines_are_marked(frames: list[LogFrame]) -> None:
    """Every frame is within one line, and says rightly where lines begin and end."""
    inside = dict.fromkeys(Stream, False)
    for frame in frames:
        assert frame.data
        assert len(frame.data) <= 64 * 1024
        assert b"\n" not in frame.data[:-1]
        assert frame.starts_line is not inside[frame.stream]
        assert frame.ends_line is frame.data.endswith(b"\n")
        inside[frame.stream] = not frame.ends_line
