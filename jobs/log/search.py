"""Searching the whole stored log of an attempt, a bounded stretch at a time.

The asker goes on from `next_line` until it is `done`; then the hits of all stretches
together are exact. Nothing is kept here between two stretches.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from jobs.log.assembly import Assembly, Line
from jobs.log.pattern import LogPattern
from jobs.log.reading import Gap, stretches
from jobs.log.seek import seq_before_line
from jobs.log.shown import shown
from jobs.log.text import ENDS, STARTS, STDERR, Row
from providers.driver import Stream

SECONDS = 0.25
"""One stretch takes no longer, but for its last line."""
MOST_HITS, MOST_ROWS = 10_000, 1_000
_ROW_CHARACTERS = 4096


@dataclass(frozen=True, slots=True)
class Question:
    """What is looked for, and in what: both streams or one, from a line on. With `context`
    the lines themselves are wanted too, and so many before and after each."""

    pattern: LogPattern
    from_line: int = 1
    stream: Stream | None = None
    context: int = 0


@dataclass(slots=True)
class Answer:
    """Each of `hits` is a line's number and the places in it; `rows` are lines as a browser
    gets them. `last_stderr` is the number of the last line of standard error, 0 if none."""

    next_line: int
    done: bool = False
    last_stderr: int = 0
    hits: list[list[int]] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)

    def value(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "hits": self.hits,
            "rows": self.rows,
            "next": self.next_line,
            "done": self.done,
            "stderr": self.last_stderr,
        }


def search(attempt_id: int, asked: Question) -> Answer:
    """One stretch of the search."""
    until = time.monotonic() + SECONDS
    first = max(asked.from_line - asked.context, 1)
    assembly, looking = Assembly(first), _Looking(asked)
    answer = looking.answer
    after = seq_before_line(attempt_id, first) if first > 1 else 0
    for item in stretches(attempt_id, after):
        if isinstance(item, Gap):
            continue  # the log itself tells what it lacks
        assembly.take(item.pieces)
        for line in assembly.ripe():
            looking.at(line)
            late = time.monotonic() >= until or looking.full
            if late and line.number >= asked.from_line:
                answer.next_line = line.number + 1
                return answer
        if time.monotonic() >= until and assembly.next_line > asked.from_line:
            answer.next_line = assembly.next_line
            return answer
    # What is unfinished is looked at as it stands, and again when it has grown.
    answer.next_line = assembly.next_line
    answer.done = True
    for line in assembly.ripe(all_of_it=True):
        looking.at(line)
    return answer


class _Looking:
    """Puts the answer together, line by line."""

    def __init__(self, asked: Question) -> None:
        self.answer = Answer(asked.from_line)
        self._asked = asked
        self._before: deque[tuple[Line, str]] = deque(maxlen=asked.context or None)
        self._owed = 0

    @property
    def full(self) -> bool:
        """Enough for one answer."""
        return len(self.answer.hits) >= MOST_HITS or len(self.answer.rows) >= MOST_ROWS

    def at(self, line: Line) -> None:
        """Looks at one line."""
        if line.stream is Stream.STDERR:
            self.answer.last_stderr = line.number
        if self._asked.stream not in (None, line.stream):
            return
        text = line.text()
        places = self._asked.pattern.places(shown(text))
        if places is not None and line.number >= self._asked.from_line:
            self.answer.hits.append([line.number, *places])
        if self._asked.context:
            self._keep(line, text, is_hit=places is not None)

    def _keep(self, line: Line, text: str, *, is_hit: bool) -> None:
        if is_hit:
            self.answer.rows += [_row(*one) for one in self._before]
            self._before.clear()
            self._owed = self._asked.context + 1
        if self._owed:
            self.answer.rows.append(_row(line, text))
            self._owed -= 1
        else:
            self._before.append((line, text))


def _row(line: Line, text: str) -> Row:
    flags = STARTS | ENDS | (STDERR if line.stream is Stream.STDERR else 0)
    return line.number, flags, line.at_ns // 1_000_000, text[:_ROW_CHARACTERS]
