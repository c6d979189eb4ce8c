"""Answers that cost much and may be some seconds old: kept in this process, for who asks next."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """The answers of the last `seconds`. Threads that ask for the same at the same time may each
    work it out."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._answers: dict[Hashable, tuple[float, T]] = {}

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The kept answer to `key`, or that of `make`, which is kept from now on."""
        found, now = self._answers.get(key), self._clock()
        if found is not None and now < found[0]:
            return found[1]
        answer = make()
        alive = {one: kept for one, kept in self._answers.copy().items() if now < kept[0]}
        self._answers = alive | {key: (now + self._seconds, answer)}
        return answer

    def __len__(self) -> int:
        return len(self._answers)

    def forget(self) -> None:
        """Keep nothing of what was asked until now."""
        self._answers = {}
