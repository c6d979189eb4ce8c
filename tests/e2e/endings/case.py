"""One row of the table. Plain values: the page of endings in docs/ is made of them, too."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol


class Scene(Protocol):
    """What a hand sees of its job, as it is now, and what it can do to it."""

    @property
    def state(self) -> str:
        """Of the job."""
        ...

    @property
    def reason(self) -> str:
        """Why it waits."""
        ...

    @property
    def phase(self) -> str:
        """Of its live attempt; empty when there is none."""
        ...

    @property
    def cancelled_for(self) -> float:
        """Seconds since somebody asked for its cancel; 0 when nobody did."""
        ...

    def said(self, text: bytes) -> bool:
        """Whether its log holds this."""
        ...

    def cancel(self) -> None: ...
    def release(self) -> None: ...
    def damage_secrets(self) -> None:
        """Make what is stored of its secrets unreadable."""
        ...

    def engine(self, method: str, path: str, **query: str | int) -> None:
        """A call to the engine by somebody else, with `{id}` for its container."""
        ...

    def open(self, gate: str) -> None:
        """Let the engine behind that provider's gate go on."""
        ...

    def cut(self, gate: str) -> None:
        """End the engine behind that provider's gate for good."""
        ...


Hand = Callable[[Scene], bool]
"""Looks at the scene, and does its deed when the moment has come; True when it is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is done, and how it must end.

    `spec` are the job's fields; an image may begin with `{open}`, `{closed}`, `{odd}` or
    `{dead}`, the addresses of registries. `words` are the plain words, with `…` for any
    text.
    """

    how: str
    spec: Mapping[str, Any]
    state: str = "failed"
    reason: str
    words: str
    exit_code: int | None = None
    attempts: int = 1
    """With or without those that were taken back before their start."""
    fenced: int = 0
    """At least so many were taken back; a busy engine may add one."""
    charged: int | None = None
    """Tries used up of the job's own; None: one for an end that is the program's doing."""
    starts: int | None = None
    """Starts of the last attempt that the engine tells of; None: not looked at."""
    log_complete: bool | None = None
    hand: Hand | None = None

    def says(self, text: str) -> bool:
        """Whether these words are the expected ones."""
        pattern = ".+".join(re.escape(part) for part in self.words.split("…"))
        return re.fullmatch(pattern, text, re.DOTALL) is not None


def program(script: str) -> dict[str, Any]:
    """A job of this shell script."""
    return {"script": script}


def command(*words: str) -> dict[str, Any]:
    """A job of this command."""
    return {"command": list(words)}


SLEEP = command("sleep", "60")
STUBBORN = program("trap '' TERM; echo ready; while :; do sleep 0.1; done")
