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

from orchestrator.loop.desk import Desk
from orchestrator.loop.flusher import Flusher
from orchestrator.loop.host import ProviderHost
from orchestrator.loop.keeper import HolderLock, Keeper
from orchestrator.loop.log_writer import LogWriter
from orchestrator.loop.scheduler import Scheduler
from orchestrator.loop.service import Service, logger
from orchestrator.loop.wake import Wake
from orchestrator.postgres_store import PostgresStore
from providers.driver import Health, Probe, ProviderConfig
from providers.leases import SCHEDULER, Fence, provider_lease
from providers.registry import build_driver

LET_GO_SECONDS = 4.0


class EngineProcess:
    """Wires the services; `run` blocks until a signal or the death of a service."""

    def __init__(self, data_dir: Path, ttl: float) -> None:
        self._data_dir = data_dir
        self._lock = HolderLock(data_dir / "engines")
        self._store = store = PostgresStore(self._lock.holder, ttl)
        self._desk = Desk(store, self._make_host)
        self._keeper = Keeper(store, self._lock, ttl, gained=self._gained, lost=self._desk.lost)
        self._flusher = Flusher(
            store,
            freed=lambda: self._scheduler.freed(),
            plans_here=lambda: self._keeper.held(SCHEDULER) is not None,
        )
        self._logs = LogWriter(store)
        self._scheduler = Scheduler(
            store, self._keeper, placed=lambda: self._desk.look("placed"), tell=self._flusher.tell
        )
        self._wake = Wake(
            {
                "jobs": [self._scheduler.wake],
                "placed": [lambda: self._desk.look("placed")],
                "cancel": [lambda: self._desk.look("cancel")],
                "requests": [lambda: self._desk.look("requests")],
                "providers": [self._keeper.wake, self._desk.edited, self._scheduler.wake],
            }
        )
        self._ended = threading.Event()
        self._failed = False

    def run(self) -> int:
        """Work until told to end. The exit status: 0, or 1 when a service died."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._signalled)
        services: list[Service] = [
            self._flusher, self._logs, self._desk, self._keeper, self._scheduler, self._wake,
        ]  # fmt: skip
        for service in services:
            service.start(self._died)
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
        self._scheduler.stop()
        self._wake.stop()
        self._desk.close_hosts(LET_GO_SECONDS)
        for service in (self._logs, self._flusher, self._desk, self._keeper):
            service.stop()
            service.join(2.0)
        self._lock.close()

    def _gained(self, fence: Fence) -> None:
        self._desk.gained(fence)
        if fence.name == SCHEDULER:
            self._scheduler.wake()

    def _make_host(self, fence: Fence) -> ProviderHost | None:
        for site in self._store.sites():
            if provider_lease(site.id) == fence.name:
                break
        else:
            return None
        config = ProviderConfig(site.name, self._store.instance, site.options, str(self._data_dir))
        try:
            driver = build_driver(site.kind, config)
        except Exception as error:
            logger.error("provider %s: no driver could be made: %s", site.name, error)
            why = Probe(Health.UNREACHABLE, detail=str(error))
            self._store.save_probe(fence, site.id, why)
            return None
        return ProviderHost(
            site,
            fence,
            driver,
            keeper=self._keeper,
            flusher=self._flusher,
            logs=self._logs,
            desk=self._desk,
            instance=self._store.instance,
        )
