"""The preview of a job that is being written: the body that the API would take, as JSON and as
a command, each in pieces to be coloured. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jobs.curl import body_text, curl_lines

_PIECES = re.compile(
    r'(?P<key>"(?:[^"\\]|\\.)*"(?=:))'
    r'|(?P<text>"(?:[^"\\]|\\.)*")'
    r"|(?P<number>-?\d[\d.eE+-]*|\btrue\b|\bfalse\b|\bnull\b)"
)
_KINDS = {"key": "k", "text": "v", "number": "u"}


@dataclass(frozen=True, slots=True)
class Piece:
    """Text of one colour: k a name, v a string, u a number or word, "" the rest."""

    text: str
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Preview:
    """The same body twice; the pieces put together are the texts."""

    json: str
    pieces: tuple[Piece, ...]
    curl: str
    to_fill_in: tuple[str, ...]
    """Secrets whose values are not in it."""


def preview(body: Mapping[str, Any], url: str) -> Preview:
    """What to send to `url` for this job (jobs/curl.py)."""
    text = body_text(body)
    return Preview(
        json=text,
        pieces=tuple(_pieces(text)),
        curl=curl_lines(body, url),
        to_fill_in=tuple(body.get("secret_env", ())),
    )


def _pieces(text: str) -> Iterator[Piece]:
    at = 0
    for found in _PIECES.finditer(text):
        if found.start() > at:
            yield Piece(text[at : found.start()])
        yield Piece(found[0], _KINDS[found.lastgroup or "text"])
        at = found.end()
    if at < len(text):
        yield Piece(text[at:])
