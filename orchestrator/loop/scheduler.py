"""Planning the queue while the scheduler's lease is held."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from jobs.queue import DEEPEST
from orchestrator.loop.crash_points import crash_point
from orchestrator.loop.keeper import Keeper
from orchestrator.loop.service import Service, logger, monotonic
from orchestrator.scheduling.fleet import Fleet
from orchestrator.scheduling.policy import Plan, plan
from orchestrator.store import ALL_ALIKE, Store
from projects.notify import LiveChanges
from providers.leases import SCHEDULER, Fence, provider_lease

LONGEST_REST = 2.0
READ = 2000
"""So many jobs a look reads, shared by the classes that wait …"""
SHALLOWEST = 4
"""… but of each class no fewer than these. Of a class of which some started, four times as many
as last did: what is freed next is likely for those behind them."""


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
        tell: Callable[[LiveChanges], None],
    ) -> None:
        super().__init__()
        self._store = store
        self._keeper = keeper
        self._placed = placed
        self._tell = tell
        self._fleet = Fleet(())
        self._rest_until = 0.0
        self._somebody_waits = True
        self._depth = SHALLOWEST
        self._deeper: Mapping[int, int] = ALL_ALIKE
        self._tend_at = 0.0

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
        if begun >= self._tend_at:
            self._tend_at = begun + self.interval
            if changed := self._store.tend_queue(fence):
                self._tell(changed)
        self._somebody_waits = True  # until the look says otherwise: room may be freed meanwhile
        snapshot = self._store.snapshot(self._depth, self._deeper)
        if not snapshot.classes:
            self._somebody_waits = False
            return False
        self._fleet = self._fleet.renewed(snapshot.providers)
        made = plan(snapshot, self._fleet)
        placed = self._commit(fence, made)
        self._somebody_waits = made.more or placed < sum(len(c.jobs) for c in snapshot.classes)
        self._depth = max(SHALLOWEST, min(READ // len(snapshot.classes), DEEPEST))
        if started := Counter(p.waiting for p in made.placements):
            self._deeper = {one: min(4 * number, DEEPEST) for one, number in started.items()}
        if made.more:
            return True
        # A long queue makes a long look: never spend more than half of the time looking. A
        # database that hung made it longer still, and that is no reason to rest.
        took = min(monotonic() - begun, LONGEST_REST)
        self._rest_until = monotonic() + (took if took > 0.05 else 0.0)
        return False

    def _commit(self, fence: Fence, made: Plan) -> int:
        """How many jobs were placed."""
        if made.empty:
            return 0
        # Our own desk is told directly; a notice is for the hosts of other processes.
        elsewhere = any(
            self._keeper.held(provider_lease(p.provider)) is None for p in made.placements
        )
        crash_point("before_plan")
        placed, changes = self._store.commit_plan(fence, made, wake_hosts=elsewhere)
        crash_point("after_plan")
        if placed:
            self._placed()
            logger.debug("placed %d", placed)
        self._tell(changes)
        return placed
