"""Taking off an engine what ended attempts left there, and what belongs to none."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Protocol

from orchestrator.loop.crash_points import crash_point
from orchestrator.loop.host_view import GivenUp
from orchestrator.loop.service import logger
from orchestrator.store import Site, Store
from providers.driver import Driver, DriverError, Handle, Owned
from providers.leases import Fence


class Engine(Protocol):
    """What removals ask of their host (see `HostView`)."""

    site: Site
    driver: Driver
    fence: Fence

    def check_trust(self) -> None: ...
    def check_reach(self) -> None: ...
    def in_background(self, work: Callable[[], None]) -> None: ...
    def post(self, work: Callable[[Store], None], about: Hashable = None) -> None: ...


class Removals:
    """Each in the background; those that are done are told together. What fails, or is not
    told because the process ends, is found again by the host's next look."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._guard = threading.Lock()
        self._under_way: set[int] = set()
        self._done: list[int] = []

    def begin(self, attempt: int, handle: Handle) -> None:
        """Remove what an ended attempt left."""
        with self._guard:
            if attempt in self._under_way:
                return  # the check finds it again and again while the engine is slow
            self._under_way.add(attempt)
        self._engine.in_background(lambda: self._remove(attempt, handle))

    def sweep(self, thing: Owned) -> None:
        """Remove what no live attempt owns."""
        self._engine.in_background(lambda: self._sweep(thing))

    def _remove(self, attempt: int, handle: Handle) -> None:
        engine = self._engine
        try:
            engine.check_trust()
            engine.check_reach()
            crash_point("before_remove")
            engine.driver.remove(handle, force=True)
            crash_point("after_remove")
        except GivenUp:
            return
        except DriverError as error:
            why = str(error)
            logger.info("attempt %d: its container stays for now: %s", attempt, why)
            engine.post(lambda store: store.not_removed(engine.fence, attempt, why))
            return
        finally:
            with self._guard:
                self._under_way.discard(attempt)  # what failed is tried again at the next look
        with self._guard:
            self._done.append(attempt)
        engine.post(lambda store: self._tell(store), about=("removed", engine.fence))

    def _tell(self, store: Store) -> None:
        """In the desk's thread: all that are done by now, in one write."""
        with self._guard:
            done = list(self._done)
        if done:
            store.removed(self._engine.fence, done)
            with self._guard:
                del self._done[: len(done)]

    def _sweep(self, thing: Owned) -> None:
        logger.info("sweeping what is left of job %d attempt %d", thing.job, thing.attempt)
        engine, why = self._engine, ""
        try:
            engine.check_trust()
            engine.driver.remove(thing.handle, force=True)
        except GivenUp:
            return
        except DriverError as error:
            why = str(error) or "the engine did not say why"
        engine.post(lambda store: store.swept(engine.fence, engine.site.id, thing, why))
