"""Planning the queue while the scheduler's lease is held."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from orchestrator.loop.crash_points import crash_point
from orchestrator.loop.keeper import Keeper
from orchestrator.loop.service import Service, logger, monotonic
from orchestrator.scheduling.policy import plan
from orchestrator.store import Store
from projects.notify import JobChange
from providers.leases import SCHEDULER, provider_lease

LONGEST_REST = 2.0


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
        self._somebody_waits = True

    def freed(self) -> None:
        """Room became free; nobody need look when the last look left nobody waiting."""
        if self._somebody_waits:
            self.wake()

    def run_once(self) -> bool:
        fence = self._keeper.held(SCHEDULER)
        if fence is None:
            return False
        rest = self._rest_until - monotonic()
        if rest > 0:
            self._stopping.wait(rest)
        begun = monotonic()
        self._somebody_waits = True  # until the look says otherwise: room may be freed meanwhile
        snapshot = self._store.snapshot()
        if not snapshot.queue:
            self._somebody_waits = False
            return False
        made = plan(snapshot)
        # Our own desk is told directly; a notice is for the hosts of other processes.
        elsewhere = any(
            self._keeper.held(provider_lease(p.provider)) is None for p in made.placements
        )
        crash_point("before_plan")
        placed, changes = self._store.commit_plan(fence, made, wake_hosts=elsewhere)
        crash_point("after_plan")
        self._somebody_waits = placed < len(snapshot.queue)
        if placed:
            self._placed()
            logger.debug("placed %d, %d wait", placed, len(made.waits))
        self._tell(changes)
        # A long queue makes a long look: never spend more than half of the time looking. A
        # database that hung made it longer still, and that is no reason to rest.
        took = min(monotonic() - begun, LONGEST_REST)
        self._rest_until = monotonic() + (took if took > 0.05 else 0.0)
        return False
