"""A service: a named thread that does `run_once` when woken, or when its interval is over."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from orchestrator.store import StoreDown

logger = logging.getLogger("gantry.engine")

LONGEST_PAUSE = 5.0


class Service:
    """Subclasses say what one round is; tests call `run_once` alone.

    `interval` seconds: the poll that is the guarantee where a wake-up was lost. A round
    that raises `StoreDown` is tried again with growing pauses; any other exception ends
    the whole process through `on_death`, so that a supervisor restarts it.
    """

    name = "service"
    interval = 1.0

    def __init__(self) -> None:
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def run_once(self) -> bool:
        """One round. True means that there may be more to do at once."""
        raise NotImplementedError

    def finish(self) -> None:
        """Called in the service's thread after its last round."""

    def next_wait(self) -> float:
        """Seconds to wait for a wake-up before the next round."""
        return self.interval

    def wake(self) -> None:
        """Ask for a round now; any thread."""
        self._wake.set()

    def start(self, on_death: Callable[[str], None]) -> None:
        """Run in a thread of its own until `stop`."""
        self._thread = threading.Thread(
            target=self._run, args=(on_death,), name=f"gantry-{self.name}", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Ask it to end after its present round."""
        self._stopping.set()
        self._wake.set()

    def join(self, timeout: float) -> bool:
        """Wait for its end; False when it is still at work."""
        if self._thread is None:
            return True
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self, on_death: Callable[[str], None]) -> None:
        pause = 0.1
        try:
            while not self._stopping.is_set():
                self._wake.clear()
                try:
                    more = self.run_once()
                    pause = 0.1
                except StoreDown as error:
                    logger.warning("%s: the database does not answer: %s", self.name, error)
                    self._stopping.wait(pause)
                    pause = min(LONGEST_PAUSE, pause * 2)
                    continue
                if not more:
                    self._wake.wait(self.next_wait())
            self.finish()
        except StoreDown as error:
            logger.warning("%s: ended without the database: %s", self.name, error)
        except Exception:
            logger.exception("%s: died", self.name)
            on_death(self.name)


def monotonic() -> float:
    """Seconds on this process's own clock, for every deadline that is ours."""
    return time.monotonic()
