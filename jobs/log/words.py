"""The last words of a failed attempt, for the panel that says what went wrong."""

from __future__ import annotations

import re
from dataclasses import dataclass

from jobs.log.reading import Gap, tail_lines
from jobs.models import Attempt
from providers.driver import Stream

_SHOWN = 5
_LOOKED_AT = 40
_LOOKED_AT_BYTES = 64 * 1024
_WIDTH = 400
# Escape sequences: colours and the like, which mean nothing in a plain line.
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-_])")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class LastLine:
    """One line, harmless and cut to a length: shown escaped like any other text."""

    number: int
    text: str
    is_error: bool


def last_lines(attempt: Attempt) -> list[LastLine]:
    """The last lines of standard error, or of all output where there was none."""
    if not attempt.log_seq:
        return []
    seen: dict[int, LastLine] = {}
    for line in tail_lines(attempt.pk, _LOOKED_AT, most_bytes=_LOOKED_AT_BYTES):
        if isinstance(line, Gap):
            continue
        begins = "" if line.starts else "…"  # it is longer than what is looked at
        before = seen[line.number].text if line.number in seen else begins
        text = (before + plain(line.text()))[:_WIDTH]
        seen[line.number] = LastLine(line.number, text, line.stream is Stream.STDERR)
    lines = [line for line in seen.values() if line.text.strip()]
    errors = [line for line in lines if line.is_error]
    return (errors or lines)[-_SHOWN:]


def plain(text: str) -> str:
    """The text without escape sequences and control characters; a progress bar's last state."""
    return _CONTROLS.sub("", _ESCAPES.sub("", text).rstrip("\r").rpartition("\r")[2])
