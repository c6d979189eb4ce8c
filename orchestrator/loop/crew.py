"""The services of one engine process, wired: whatever its store, its lock and its drivers are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from orchestrator.loop.desk import Desk
from orchestrator.loop.flusher import Flusher
from orchestrator.loop.host import ProviderHost
from orchestrator.loop.keeper import HolderLock, Keeper
from orchestrator.loop.log_writer import LogWriter
from orchestrator.loop.scheduler import Scheduler
from orchestrator.loop.service import logger
from orchestrator.store import Site, Store
from providers.driver import Driver, Health, Probe
from providers.leases import SCHEDULER, Fence, provider_lease

LET_GO_SECONDS = 4.0


class Crew:
    """Flusher, log writer, desk, keeper and scheduler of one process.

    `ttl` of its leases in seconds; `driver_of` makes a provider's driver, or raises.
    """

    def __init__(
        self, store: Store, lock: HolderLock, ttl: float, driver_of: Callable[[Site], Driver]
    ) -> None:
        self._store = store
        self._driver_of = driver_of
        self._desk = Desk(store, self._make_host, lambda fence: self._keeper.retake(fence))
        self._keeper = Keeper(store, lock, ttl, gained=self._gained, lost=self._desk.lost)
        self._flusher = Flusher(
            store,
            freed=lambda: self._scheduler.freed(),
            plans_here=lambda: self._keeper.held(SCHEDULER) is not None,
        )
        self._logs = LogWriter(store)
        self._scheduler = Scheduler(
            store, self._keeper, placed=lambda: self._desk.look("placed"), tell=self._flusher.tell
        )

    def woken_by(self) -> Mapping[str, Sequence[Callable[[], None]]]:
        """What is to be done at each word of NOTIFY."""
        return {
            "jobs": [self._scheduler.wake],
            "placed": [lambda: self._desk.look("placed")],
            "cancel": [lambda: self._desk.look("cancel")],
            "requests": [lambda: self._desk.look("requests")],
            "providers": [self._keeper.wake, self._desk.edited, self._scheduler.wake],
        }

    def start(self, on_death: Callable[[str], None]) -> None:
        """Begin to work; `on_death` hears the name of a service that failed."""
        for service in (self._flusher, self._logs, self._desk, self._keeper, self._scheduler):
            service.start(on_death)

    def stop(self) -> None:
        """End: no more planning, what runs keeps running, all that is known is written, the
        leases are given back."""
        self._scheduler.stop()
        self._desk.close_hosts(LET_GO_SECONDS)
        for service in (self._logs, self._flusher, self._desk, self._keeper):
            service.stop()
            service.join(2.0)

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
        try:
            driver = self._driver_of(site)
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
