"""What a service may answer instead of doing it: one class per thing the caller does next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One thing wrong with the input: a JSON pointer and what to do about it."""

    pointer: str
    detail: str


class GantryError(Exception):
    """Something a person should be told in the words of the exception."""


class NotFound(GantryError):
    """It is not there, or this actor may not know that it is."""


class Forbidden(GantryError):
    """It is there, and this actor may not do that to it."""


class Conflict(GantryError):
    """It is in a state in which this cannot be done."""


class LimitReached(GantryError):
    """A limit of the project is reached: nothing is wrong with the request, and later it may be
    taken. `retry_after` is in how many seconds, None where that depends on what starts or ends."""

    def __init__(self, words: str, retry_after: int | None = None) -> None:
        super().__init__(words)
        self.retry_after = retry_after


class Invalid(GantryError):
    """The input is wrong; `problems` names each field."""

    def __init__(self, problems: Sequence[FieldProblem]) -> None:
        super().__init__("; ".join(f"{p.pointer or 'body'}: {p.detail}" for p in problems))
        self.problems = tuple(problems)


class BadRequest(GantryError):
    """The request cannot be read at all (broken JSON, a foreign cursor): mend the client."""
