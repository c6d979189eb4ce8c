"""One finding: what was looked at, how bad it is, what was seen, what to do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Level(IntEnum):
    """How bad it is; also the exit status of the worst one."""

    OK = 0
    WARNING = 1
    PROBLEM = 2


@dataclass(frozen=True, slots=True)
class Finding:
    """`advice` says what to do; nothing is to be done where all is well."""

    check: str
    level: Level
    words: str
    advice: str = ""


def ok(check: str, words: str) -> Finding:
    """All is well."""
    return Finding(check, Level.OK, words)


def warning(check: str, words: str, advice: str) -> Finding:
    """It works, and will go wrong."""
    return Finding(check, Level.WARNING, words, advice)


def problem(check: str, words: str, advice: str) -> Finding:
    """It does not work."""
    return Finding(check, Level.PROBLEM, words, advice)
