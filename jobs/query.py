"""The words that narrow a list of jobs: `state:failed -label:debug since:24h nightly`. Pure.

A word is `key:value`, or free; `-` before it excludes. Words of the same key are
alternatives where a job has one such thing (its state, its project, …); of labels and free
words all must hold. Quotation marks keep blanks together and take a colon for itself.
docs/querying.md tells it to people.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from jobs.number_lists import read_numbers
from jobs.states import JobState
from projects.strict import text_problem

KEYS = ("state", "project", "provider", "by", "id", "name", "key", "label", "since", "until")
LISTED = ("state", "project", "provider", "by")
TIMES = ("since", "until")
MAX_TEXT = 255
MAX_NUMBERS = 1900
"""So long may a list of numbers be: with other words it still is a query."""
MAX_TERMS = 50
MAX_LENGTH = 2000
FREE = ""
EXACTLY = "="
"""Before a name: that name, and none that only begins so."""
_MARK = '"'

_WORD = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^\s"])+')
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_KEYED = re.compile(r"([A-Za-z_]+):(.*)", re.S)
_LONGEST_AGO = timedelta(days=36_500)  # the database's times do not reach back for ever
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@dataclass(frozen=True, slots=True)
class Term:
    """One thing asked of a job; `key` is one of KEYS, or FREE for a free word."""

    key: str
    value: str
    negated: bool = False

    def __str__(self) -> str:
        """The word that is read as this term again."""
        word = f"{self.key}:" if self.key else ""
        bare = self.value and not re.search(r'[\s"\\]', self.value)
        if not self.key and (self.value.startswith("-") or _KEYED.match(self.value)):
            bare = False
        escaped = re.sub(r'(["\\])', r"\\\1", self.value)
        return ("-" if self.negated else "") + word + (self.value if bare else f'"{escaped}"')


def read_terms(text: str) -> tuple[list[Term], list[str]]:
    """The terms of a query, and a sentence about each word that cannot be one."""
    if len(text) > MAX_LENGTH:
        return [], [f"Shorten it: at most {MAX_LENGTH:,} characters."]
    if text_problem(text):
        return [], [str(text_problem(text))]
    if _WORD.sub("", text).strip():
        return [], [f"A quotation mark is not closed: {text[text.rindex(_MARK) :][:40]}"]
    terms: list[Term] = []
    problems: list[str] = []
    for word in _WORD.findall(text):
        negated = word.startswith("-") and len(word) > 1
        for key, value in _keyed(word[1:] if negated else word):
            problem = problem_of(key, value, negated=negated, word=word)
            if problem:
                problems.append(problem)
            else:
                terms.append(Term(key, value, negated))
    return terms, list(dict.fromkeys(problems))


def problem_of(key: str, value: str, *, negated: bool = False, word: str = "") -> str:
    """What is wrong with a term, in a sentence that names the word; empty if nothing is."""
    word = word or (f"{key}:{value}" if key else value)
    shown = word if len(word) <= 60 else word[:59] + "…"
    if key and key not in KEYS:
        return (
            f"“{shown}”: there is no “{key}” to filter by; use one of {', '.join(KEYS)}, "
            f'or look for the text itself: "{shown}".'
        )
    if not value:
        return f"“{shown}” says nothing; write a value after the colon, or leave it out."
    if text_problem(value):
        return str(text_problem(value))
    most = MAX_NUMBERS if key == "id" else MAX_TEXT
    if len(value) > most:
        return f"“{shown}” is too long: at most {most:,} characters."
    if key == "id" and read_numbers(value) is None:
        return f"“{shown}” names no jobs; write numbers, and runs of them: id:41-80,83."
    if key == "state" and value not in set(JobState):
        return f"“{shown}”: there is no state “{value[:40]}”; use one of: {', '.join(JobState)}."
    if key == "label" and value.startswith("="):
        return f"“{shown}” names no label; write label:key or label:key=value."
    if key == "name" and value == EXACTLY:
        return f"“{shown}” names nothing; write name:=orders for exactly that name."
    if key in TIMES:
        return _problem_of_time(key, value, negated, shown)
    return ""


def problems_together(terms: Iterable[Term]) -> list[str]:
    """What is wrong with terms that are well each for itself."""
    listed = list(terms)
    found = [f"Give “{key}” only once." for key in TIMES if _count(listed, key) > 1]
    return found + ([f"At most {MAX_TERMS} words."] if len(listed) > MAX_TERMS else [])


def moment_of(value: str) -> datetime | timedelta | None:
    """A time (`2026-01-31T12:00:00Z`, `2026-01-31`) or how long ago (`24h`); None: neither."""
    try:
        if ago := re.fullmatch(r"([0-9]{1,6})([mhdw])", value):
            length = timedelta(**{_UNITS[ago[2]]: int(ago[1])})
            return length if length <= _LONGEST_AGO else None
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
            return datetime.fromisoformat(value).replace(tzinfo=UTC)
        moment = datetime.fromisoformat(value)
        # In UTC, because Postgres takes no offset beyond 15:59.
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _problem_of_time(key: str, value: str, negated: bool, shown: str) -> str:
    if negated:
        other = TIMES[1 - TIMES.index(key)]
        return f"“{shown}”: a time cannot be excluded; write {other}:{value}."
    if moment_of(value) is None:
        return (
            f"“{shown}” is no time; write 30m, 24h, 7d or 2w for how long ago, "
            "a day such as 2026-01-31, or a time with its offset: 2026-01-31T12:00:00Z."
        )
    return ""


def _keyed(word: str) -> Iterator[tuple[str, str]]:
    """The key and value of a word; a list of values is several."""
    found = _KEYED.fullmatch(word)
    if found is None:
        yield FREE, _plain(word)
        return
    key, rest = found[1].lower(), found[2]
    parts = (
        [part for part in rest.split(",") if part] if key in LISTED and _MARK not in rest else []
    )
    for part in parts or [rest]:
        yield key, _plain(part)


def _plain(text: str) -> str:
    """Without its quotation marks."""
    return _QUOTED.sub(lambda quoted: re.sub(r"\\(.)", r"\1", quoted[1]), text)


def _count(terms: list[Term], key: str) -> int:
    return sum(term.key == key for term in terms)
