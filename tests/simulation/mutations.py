"""Decisions made wrong on purpose: a simulation that misses one of them proves nothing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from jobs.log.store import Append
from jobs.stat_store import Measured
from jobs.states import Phase
from orchestrator import reconcile
from orchestrator.loop import attempt_run
from orchestrator.loop.attempt_log import AttemptLog
from orchestrator.loop.attempt_moves import AttemptMoves
from orchestrator.loop.attempt_run import AttemptRun
from orchestrator.loop.desk import Desk
from orchestrator.loop.host import ProviderHost
from orchestrator.loop.log_writer import LogWriter
from orchestrator.reconcile import Action
from orchestrator.scheduling import rooms
from orchestrator.store import Order
from providers.driver import RunState, Unreachable
from tests.simulation import memory_queue
from tests.simulation.memory_store import MemoryStore

Patch = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True, slots=True)
class Mutation:
    """A wrong decision; `caught` are words of a sentence that must name it."""

    name: str
    patch: Patch
    caught: str


def _fence_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(MemoryStore, "fenced", lambda self, fence: True)


def _started_again(patch: pytest.MonkeyPatch) -> None:
    def start(self: AttemptRun) -> None:
        assert self._handle is not None
        while True:
            try:
                return self._driver.start(self._handle)
            except Unreachable as error:
                self._host.lost_contact(error)

    patch.setattr(AttemptRun, "_start", start)


def _exited_is_started(patch: pytest.MonkeyPatch) -> None:
    follow = AttemptRun._follow

    def start_and_follow(self: AttemptRun) -> None:
        if self._adopted:
            self._start()
        follow(self)

    patch.setattr(AttemptRun, "_follow", start_and_follow)


def _taken_back_without_telling(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(AttemptMoves, "fencing", lambda self: None)
    decide = reconcile.decide
    patch.setattr(
        attempt_run, "decide", lambda phase, found, *, fencing=False: decide(phase, found)
    )


def _lost_is_tried_again(patch: pytest.MonkeyPatch) -> None:
    decide = reconcile.decide

    def wrong(phase: Phase, found: RunState | None, *, fencing: bool = False) -> Action:
        action = decide(phase, found, fencing=fencing)
        return Action.RETRY if action is Action.LOST else action

    patch.setattr(attempt_run, "decide", wrong)


def _desk_without_rest(patch: pytest.MonkeyPatch) -> None:
    def wait(self: Desk) -> float:
        return 0.0

    patch.setattr(Desk, "next_wait", wait)


def _refusals_unheard(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(AttemptMoves, "_confirm", lambda self: None)


def _log_written_again(patch: pytest.MonkeyPatch) -> None:
    append = MemoryStore.append_logs

    def unguarded(
        self: MemoryStore, appends: Sequence[Append], measured: Sequence[Measured] = ()
    ) -> set[int]:
        attempts = self.rows.attempts
        return append(
            self,
            [
                replace(a, before=replace(a.before, seq=attempts[a.attempt].log.seq))
                for a in appends
            ],
            measured,
        )

    patch.setattr(MemoryStore, "append_logs", unguarded)
    patch.setattr(LogWriter, "_got_through", lambda self, appends: set())


def _gap_untold(patch: pytest.MonkeyPatch) -> None:
    drain = AttemptLog.drain

    def whole(self: AttemptLog, *args: Any, **kwargs: Any) -> bool:
        drain(self, *args, **kwargs)
        return True

    patch.setattr(AttemptLog, "drain", whole)


def _cursor_forgotten(patch: pytest.MonkeyPatch) -> None:
    order = MemoryStore._order
    patch.setattr(
        MemoryStore, "_order", lambda self, attempt: replace(order(self, attempt), cursor=None)
    )


def _nothing_swept(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ProviderHost, "_compare", lambda self, store, owned: None)


def _capacity_unchecked(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(rooms.Rooms, "take", lambda self, index, demand, project: None)
    patch.setattr(memory_queue, "still_fitting", lambda placements, views, limits: list(placements))


def _nobody_adopts(patch: pytest.MonkeyPatch) -> None:
    def adopt(self: ProviderHost, orders: Sequence[Order]) -> None: ...

    patch.setattr(ProviderHost, "adopt", adopt)
    patch.setattr(MemoryStore, "wanted", lambda self, provider: [])


def _wrongly_swept(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(reconcile, "ORPHAN_GRACE", reconcile.ORPHAN_GRACE * 0)
    patch.setattr(MemoryStore, "wanted", lambda self, provider: [])

    def none_live(self: MemoryStore, uids: Collection[str]) -> set[str]:
        return set()

    patch.setattr(MemoryStore, "live_uids", none_live)


MUTATIONS = (
    Mutation("a stale fence is not noticed", _fence_ignored, "a lost lease"),
    Mutation("a start whose reply was lost is repeated", _started_again, "started 2 times"),
    Mutation("what is adopted is started", _exited_is_started, "started 2 times"),
    Mutation("a fence is not told before it is set", _taken_back_without_telling, "nobody else"),
    Mutation("what was lost is tried again", _lost_is_tried_again, "as never started, and was"),
    Mutation("a desk never rests", _desk_without_rest, "not settled"),
    Mutation("refused moves are not heard", _refusals_unheard, "started 2 times"),
    Mutation("a log is written again after a lost reply", _log_written_again, "not as written"),
    Mutation("a gap is not told", _gap_untold, "nothing says so"),
    Mutation("a takeover reads a log from its beginning", _cursor_forgotten, "not as written"),
    Mutation("nothing is swept or taken up later", _nothing_swept, "not settled"),
    Mutation("neither a plan nor its commit counts", _capacity_unchecked, "more than it has"),
    Mutation("nobody takes up what a dead process drove", _nobody_adopts, "not settled"),
    Mutation("what is live is swept", _wrongly_swept, "not settled"),
)
