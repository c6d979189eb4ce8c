"""The output of a fake run, computed from its script: nothing is stored.

Four sources are merged by time: what `out=`/`err=` print at the start, the numbered
lines of each stream (spread evenly over the duration), and what a SIGTERM handler says.
A position counts how much of each source was read, so reading resumes in O(1).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from providers.driver import Cursor, LogFrame, Stream
from providers.drivers.fake.run import Run, end_of
from providers.drivers.fake.script import Script
from providers.drivers.lines import LineCutter

BATCH_FRAMES = 1000
BATCH_BYTES = 256 * 1024

PRINTS, OUT, ERR, TERM = range(4)


@dataclass(frozen=True, slots=True)
class Position:
    """How far the output was read: items per source, and which streams are inside a line."""

    start: int = 1
    taken: tuple[int, int, int, int] = (0, 0, 0, 0)
    unfinished: tuple[str, ...] = ()

    @classmethod
    def of(cls, cursor: Cursor | None) -> Position:
        if cursor is None:
            return cls()
        prints, out, err, term = cursor["taken"]
        return cls(cursor["start"], (prints, out, err, term), tuple(cursor["unfinished"]))

    def cursor(self) -> Mapping[str, Any]:
        return {
            "v": 1,
            "start": self.start,
            "taken": list(self.taken),
            "unfinished": list(self.unfinished),
        }


def read(run: Run, position: Position, now_ns: int) -> tuple[tuple[LogFrame, ...], Position]:
    """The frames due by now after this position, at most one batch, and the position after them.

    A run that was started again has a new output: an older position begins it anew.
    """
    end = end_of(run, run.script)
    if end is None or run.started_ns is None:
        return (), position
    if position.start != run.starts:
        position = Position(start=run.starts)
    lines = LineCutter(position.unfinished)
    taken = list(position.taken)
    frames: list[LogFrame] = []
    size = 0
    for source, stream, at_ns, data in _due(
        run, run.script, position.taken, min(now_ns, end.at_ns)
    ):
        taken[source] += 1
        size += len(data)
        frames.extend(lines.cut(stream, at_ns, data))
        if len(frames) >= BATCH_FRAMES or size >= BATCH_BYTES:
            break
    after = Position(run.starts, (taken[0], taken[1], taken[2], taken[3]), tuple(lines.unfinished))
    return tuple(frames), after


def next_due_ns(run: Run, position: Position) -> int | None:
    """When something will happen next: the next item of output, or the end."""
    script = run.script
    end = end_of(run, script)
    if end is None or run.started_ns is None:
        return None
    times = [end.at_ns]
    for source, count in ((OUT, script.lines), (ERR, script.stderr_lines)):
        if position.taken[source] < count:
            times.append(_line_at(run.started_ns, script, count, position.taken[source]))
    return min(times)


def _due(
    run: Run, script: Script, taken: tuple[int, int, int, int], until_ns: int
) -> Iterator[tuple[int, Stream, int, bytes]]:
    """(source, stream, time, bytes) of each unread item due by then, in order."""
    started = run.started_ns
    assert started is not None
    for stream, data in script.prints[taken[PRINTS] :]:
        yield PRINTS, stream, started, data
    out, err = taken[OUT], taken[ERR]
    says = script.term_out and run.term_ns is not None and script.term_after_ns is not None
    never = until_ns + 1
    term_at = run.term_ns if says and run.term_ns is not None and not taken[TERM] else never
    while True:
        out_at = _line_at(started, script, script.lines, out) if out < script.lines else never
        err_at = (
            _line_at(started, script, script.stderr_lines, err)
            if err < script.stderr_lines
            else never
        )
        first = min(out_at, err_at, term_at)
        if first >= never:
            return
        # On a tie the lines go first: whoever read before the signal has seen them.
        if first == out_at:
            yield OUT, Stream.STDOUT, first, _line(script, "line", out, script.lines)
            out += 1
        elif first == err_at:
            yield ERR, Stream.STDERR, first, _line(script, "warning", err, script.stderr_lines)
            err += 1
        else:
            yield TERM, Stream.STDOUT, first, script.term_out
            term_at = never


def _line_at(started_ns: int, script: Script, count: int, index: int) -> int:
    return started_ns + index * script.duration_ns // count


def _line(script: Script, word: str, index: int, count: int) -> bytes:
    text = f"{word} {index + 1} of {count}".encode()
    if not script.line_bytes:
        return text + b"\n"
    return text[: script.line_bytes - 1].ljust(script.line_bytes - 1, b".") + b"\n"
