"""One engine process: its threads, how they are wired, and how it ends.

Ends in two stages: the first SIGTERM or SIGINT stops planning, lets calls to engines that
are under way return, flushes logs and state, gives leases back and leaves containers
running; a second one ends the process at once.
"""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from types import FrameType

from orchestrator.loop.crew import Crew
from orchestrator.loop.keeper import HolderLock
from orchestrator.loop.service import logger
from orchestrator.loop.wake import Wake
from orchestrator.postgres_store import PostgresStore
from orchestrator.store import Site
from providers.driver import Driver, ProviderConfig
from providers.registry import build_driver


class EngineProcess:
    """Wires the services; `run` blocks until a signal or the death of a service."""

    def __init__(self, data_dir: Path, ttl: float) -> None:
        self._data_dir = data_dir
        self._lock = HolderLock(data_dir / "engines")
        self._store = PostgresStore(self._lock.holder, ttl)
        self._crew = Crew(self._store, self._lock, ttl, self._driver_of)
        self._wake = Wake(self._crew.woken_by())
        self._ended = threading.Event()
        self._failed = False

    def run(self) -> int:
        """Work until told to end. The exit status: 0, or 1 when a service died."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._signalled)
        self._crew.start(self._died)
        self._wake.start(self._died)
        logger.info("engine process %s is ready", self._lock.holder)
        while not self._ended.wait(1.0):
            pass
        self._shut_down()
        return 1 if self._failed else 0

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        if self._ended.is_set():
            os._exit(128 + number)
        self._ended.set()

    def _died(self, name: str) -> None:
        self._failed = True
        self._ended.set()

    def _shut_down(self) -> None:
        logger.info("engine process ends; what runs keeps running")
        self._wake.stop()
        self._crew.stop()
        self._lock.close()

    def _driver_of(self, site: Site) -> Driver:
        data_dir = str(self._data_dir)
        config = ProviderConfig(site.name, self._store.instance, site.options, data_dir)
        return build_driver(site.kind, config)
