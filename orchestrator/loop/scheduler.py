"""Planning the queue while the scheduler's lease is held."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from orchestrator.loop.keeper import Keeper
from orchestrator.loop.service import Service, logger, monotonic
from orchestrator.scheduling.policy import plan
from orchestrator.store import Store
from projects.notify import JobChange
from providers.leases import SCHEDULER


class Scheduler(Service):
    """Snapshot → plan → commit, when woken and each second."""

    name = "scheduler"
    interval = 1.0

    def __init__(
        self,
        store: Store,
        keeper: Keeper,
        *,
        placed: Callable[[], None],
        tell: Callable[[Iterable[JobChange]], None],
    ) -> None:
        super().__init__()
        self._store = store
        self._keeper = keeper
        self._placed = placed
        self._tell = tell
        self._rest_until = 0.0

    def run_once(self) -> bool:
        fence = self._keeper.held(SCHEDULER)
        if fence is None:
            return False
        rest = self._rest_until - monotonic()
        if rest > 0:
            self._stopping.wait(rest)
        begun = monotonic()
        snapshot = self._store.snapshot()
        if not snapshot.queue:
            return False
        made = plan(snapshot)
        placed, changes = self._store.commit_plan(fence, made)
        if placed:
            self._placed()
            logger.debug("placed %d, %d wait", placed, len(made.waits))
        self._tell(changes)
        # A long queue makes a long look: never spend more than half of the time looking.
        took = monotonic() - begun
        self._rest_until = monotonic() + (took if took > 0.05 else 0.0)
        return False
