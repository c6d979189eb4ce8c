"""The last words of a failed attempt, for the panel that says what went wrong."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from jobs.log.levels import ERROR
from jobs.log.reading import Gap, tail_lines
from jobs.models import Attempt
from providers.driver import Stream

_SHOWN = 5
_LOOKED_AT = 40
_LOOKED_AT_BYTES = 64 * 1024
_WIDTH = 400
_TOGETHER = 30
"""Lines between two errors of one failure (static/js/log-errors.js)."""
_ERROR = re.compile(ERROR)
# Escape sequences: colours and the like, which mean nothing in a plain line.
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-_])")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class LastLine:
    """One line, harmless and cut to a length: shown escaped like any other text."""

    number: int
    text: str
    is_error: bool
    """It was printed on standard error, or reads as one."""


@dataclass(frozen=True, slots=True)
class LastWords:
    """The last lines of standard error, or of all output where there was none; and the number of
    the line with which the error begins, None where nothing reads as one."""

    lines: list[LastLine]
    error: int | None


NONE = LastWords([], None)


def last_words(attempt: Attempt) -> LastWords:
    """What an attempt printed last."""
    if not attempt.log_seq:
        return NONE
    seen: dict[int, LastLine] = {}
    for line in tail_lines(attempt.pk, _LOOKED_AT, most_bytes=_LOOKED_AT_BYTES):
        if isinstance(line, Gap):
            continue
        begins = "" if line.starts else "…"  # it is longer than what is looked at
        before = seen[line.number].text if line.number in seen else begins
        text = (before + plain(line.text()))[:_WIDTH]
        seen[line.number] = LastLine(line.number, text, line.stream is Stream.STDERR)
    lines = [line for line in seen.values() if line.text.strip()]
    says_so = [line.number for line in lines if _ERROR.search(line.text)]
    printed = [line for line in lines if line.is_error]
    shown = (printed or lines)[-_SHOWN:]
    shown = [replace(line, is_error=line.is_error or line.number in says_so) for line in shown]
    if says_so:
        return LastWords(shown, _beginning(says_so))
    return LastWords(shown, shown[0].number if printed else None)


def _beginning(errors: list[int]) -> int:
    """The first of the errors that stand together at last, as the log's own way to it has it."""
    first = errors[-1]
    for number in reversed(errors):
        if first - number > _TOGETHER:
            break
        first = number
    return first


def plain(text: str) -> str:
    """The text without escape sequences and control characters; a progress bar's last state."""
    return _CONTROLS.sub("", _ESCAPES.sub("", text).rstrip("\r").rpartition("\r")[2])
