"""A few threads for what is done beside everything else; they may be closed at any moment."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor


class SideThreads:
    """At most so many threads, made when needed. Any thread may hand work over, or close.

    Who hands over need not know that they were closed meanwhile: the process ends or the
    lease is gone, and what would have been begun is for the next owner to do.
    """

    def __init__(self, most: int, name: str) -> None:
        self._pool = ThreadPoolExecutor(most, thread_name_prefix=name)
        self._guard = threading.Lock()
        self._closed = False

    def begin(self, work: Callable[[], None]) -> None:
        """Do this as soon as a thread is free; nothing once closed."""
        with self._guard:
            if not self._closed:
                self._pool.submit(work)

    def close(self) -> None:
        """Begin nothing more; returns at once."""
        with self._guard:
            self._closed = True
        self._pool.shutdown(wait=False, cancel_futures=True)

    def join(self) -> None:
        """Close, and wait until what is under way has ended."""
        self.close()
        self._pool.shutdown(wait=True)
