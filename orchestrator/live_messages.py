"""What a browser may say on its socket, read strictly. Pure.

Everything is JSON with an `op`. Numbers are ids, seqs and line numbers; whatever else
comes is refused as a whole, with no part of it done.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_MAX = 2**63 - 1


class BadMessage(ValueError):
    """Not a message of ours; the text says why."""


@dataclass(frozen=True, slots=True)
class Subscribe:
    """`sub`: signals on these topics, please."""

    topics: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """`unsub`: no more of these."""

    topics: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """An attempt, as pages name it."""

    job: int
    attempt: int


@dataclass(frozen=True, slots=True)
class OpenLog:
    """`log`: stream this log after that seq (0: from its beginning or its tail)."""

    place: Place
    after: int


@dataclass(frozen=True, slots=True)
class CloseLog:
    """`nolog`: stop streaming it."""

    place: Place


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """`ack`: batches up to `number` were taken."""

    place: Place
    number: int


@dataclass(frozen=True, slots=True)
class Ping:
    """`ping`: answer me."""


@dataclass(frozen=True, slots=True)
class Pong:
    """`pong`: the answer to our ping."""


Message = Subscribe | Unsubscribe | OpenLog | CloseLog | Acknowledge | Ping | Pong


def parse(text: str) -> Message:
    """The message in a text frame. Raises BadMessage."""
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        raise BadMessage("not JSON") from None
    if not isinstance(given, dict):
        raise BadMessage("not an object")
    match given.get("op"):
        case "sub":
            return Subscribe(_topics(given))
        case "unsub":
            return Unsubscribe(_topics(given))
        case "log":
            return OpenLog(_place(given), _number(given, "after", 0))
        case "nolog":
            return CloseLog(_place(given))
        case "ack":
            return Acknowledge(_place(given), _number(given, "n"))
        case "ping":
            return Ping()
        case "pong":
            return Pong()
    raise BadMessage("no op that I know")


def _topics(given: Mapping[str, Any]) -> tuple[str, ...]:
    topics = given.get("topics")
    if not isinstance(topics, list) or not all(isinstance(topic, str) for topic in topics):
        raise BadMessage("topics is not a list of texts")
    try:
        "".join(topics).encode()
    except UnicodeEncodeError:
        raise BadMessage("half a character is no text") from None
    return tuple(dict.fromkeys(topics))


def _place(given: Mapping[str, Any]) -> Place:
    return Place(_number(given, "job"), _number(given, "attempt"))


def _number(given: Mapping[str, Any], name: str, default: int | None = None) -> int:
    value = given.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MAX:
        raise BadMessage(f"{name} is not a number")
    return value
