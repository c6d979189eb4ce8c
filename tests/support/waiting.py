"""Waiting in tests: on a condition, with a deadline, in this one place."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event
from typing import TypeVar

T = TypeVar("T")

PAUSE_SECONDS = 0.02


def wait_until(condition: Callable[[], T], deadline_seconds: float, what: str) -> T:
    """Return the condition's first truthy value.

    Fails the test with `what` and the last value once the deadline has passed; the
    condition is always asked at least once after the last pause.
    """
    deadline = time.monotonic() + deadline_seconds
    nothing_to_wait_for = Event()
    while True:
        expired = time.monotonic() >= deadline
        value = condition()
        if value:
            return value
        if expired:
            raise AssertionError(f"not within {deadline_seconds:g} s: {what} (last: {value!r})")
        nothing_to_wait_for.wait(PAUSE_SECONDS)
