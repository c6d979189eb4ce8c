"""Where in the job form a problem of the spec stands, and its words there. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from projects.quantities import duration_text, memory_text

_POINTERS = {
    "resources/cpu_cores": "cpu_cores",
    "resources/memory_mb": "memory",
    "resources/gpus": "gpus",
    "resources/timeout_seconds": "timeout",
    "retry/max_attempts": "max_attempts",
    "retry/backoff_seconds": "backoff",
    "retry/on": "retry_on",
    "queue_timeout_seconds": "queue_timeout",
    "concurrency/key": "concurrency_key",
    "concurrency/limit": "concurrency_limit",
    "concurrency/on_overflow": "on_overflow",
    "concurrency": "concurrency_key",
    "command": "argv",
    "args": "argv",
    "retry": "max_attempts",
}
# What has no field of its own, in words.
_ELSEWHERE = {"secret_env": "Secrets", "env": "Variables", "mounts": "Mounts"}
# The spec's limits are in one unit, the form's numbers in whatever was chosen.
_AMOUNTS: Mapping[str, Callable[[int], str]] = {
    "memory": memory_text,
    "timeout": duration_text,
    "queue_timeout": duration_text,
    "backoff": duration_text,
}
_LIMIT = re.compile(r"(?P<words>Must be at (?:least|most) )(?P<limit>\d+)\.")


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing to mend: where it is in the form (an element's id), and what to do."""

    label: str
    target: str
    words: str
    missing: bool = False
    """Nothing is wrong with it but that it is empty."""

    @property
    def mark(self) -> str:
        """What it is known by on its page."""
        return self.target or self.words


def field_of(path: str) -> str:
    """What the form's field would be called for a problem at this path of the spec, which has
    no slash at its ends; there may be no such field."""
    head = path.partition("/")[0]
    for part in (path, "/".join(path.split("/")[:2]), head):
        if part in _POINTERS:
            return _POINTERS[part]
    return head


def elsewhere(path: str) -> str:
    """What a path without a field is called."""
    return _ELSEWHERE.get(path.partition("/")[0], path)


def with_unit(field: str, words: str) -> str:
    """A limit as people read it: "Must be at most 30 d."."""
    found = _LIMIT.fullmatch(words)
    if found is None or field not in _AMOUNTS:
        return words
    return f"{found['words']}{_AMOUNTS[field](int(found['limit']))}."
