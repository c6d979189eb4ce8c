"""What a spec says, line by line, and what has changed since another one. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from jobs.spec import DEFAULTS, in_order


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the spec: `kind` is "" where both have it, "add" where this one has it, "del"
    where the earlier one had it."""

    kind: str
    text: str

    @property
    def mark(self) -> str:
        """The sign in the margin, which does not need colour."""
        return {"add": "+", "del": "−"}.get(self.kind, " ")


@dataclass(frozen=True, slots=True)
class SpecDiff:
    """All lines in order, and how many were added and taken out."""

    lines: tuple[Line, ...]
    added: int
    removed: int

    @property
    def same(self) -> bool:
        """True when nothing has changed."""
        return not (self.added or self.removed)


def spec_text(stored: object) -> str:
    """A stored spec to read, and to copy."""
    return json.dumps(_shown(stored), indent=2, ensure_ascii=False)


def spec_diff(before: object, now: object) -> SpecDiff:
    """What `now` says, with what `before` said in the place where it differs. A field that one
    of them is too old to have is as if left out there."""
    was, is_now = spec_text(_beside(before, now)), spec_text(_beside(now, before))
    lines = tuple(_lines(was.split("\n"), is_now.split("\n")))
    kinds = [line.kind for line in lines]
    return SpecDiff(lines, kinds.count("add"), kinds.count("del"))


def _lines(before: list[str], now: list[str]) -> Iterator[Line]:
    # A comma that a line has only because another follows it is no change.
    matcher = SequenceMatcher(
        None, [t.rstrip(",") for t in before], [t.rstrip(",") for t in now], autojunk=False
    )
    for tag, a, b, c, d in matcher.get_opcodes():
        if tag == "equal":
            yield from (Line("", text) for text in now[c:d])
        else:
            yield from (Line("del", text) for text in before[a:b])
            yield from (Line("add", text) for text in now[c:d])


def _beside(stored: object, other: object) -> object:
    """A stored spec with the defaults of fields that only the other one has."""
    if not (isinstance(stored, Mapping) and isinstance(other, Mapping)):
        return stored
    missing = {name: DEFAULTS[name] for name in DEFAULTS if name in other and name not in stored}
    return missing | dict(stored)


def _shown(stored: object) -> Mapping[str, Any]:
    """The spec in its order, without who gave its secrets."""
    return {name: value for name, value in in_order(stored).items() if name != "secret_env_by"}
