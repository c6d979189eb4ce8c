"""Group commit without a timer: what is queued is committed at once, and what arrives
meanwhile is the next group. A lone transition is committed immediately; a busy engine
batches by itself. Notices to pages go with the commits, at the pace of pace.py."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from jobs.states import Phase
from jobs.transitions import BatchResult, Move, Written
from orchestrator.loop.crash_points import crash_point
from orchestrator.loop.pace import RIDE_SECONDS, Pace
from orchestrator.loop.service import Service, logger, monotonic
from orchestrator.store import Store, StoreDown
from projects.notify import LiveChanges

GROUP = 500


class Flusher(Service):
    """The one thread of this process that writes state."""

    name = "flusher"
    interval = 5.0

    def __init__(self, store: Store, *, freed: Callable[[], None], plans_here: Callable[[], bool]):
        super().__init__()
        self._store = store
        self._freed = freed
        self._plans_here = plans_here
        self._queue: deque[tuple[Move, Future[Written]]] = deque()
        self._guard = threading.Lock()
        self._live = LiveChanges()
        self._live_since = 0.0
        self._live_urgent = False
        self._pace = Pace()
        self._uncertain: list[tuple[Move, Future[Written]]] = []

    def submit(self, move: Move) -> Future[Written]:
        """Queue a move; the future tells what became of it. Any thread."""
        return self.submit_all([move])[0]

    def submit_all(self, moves: Sequence[Move]) -> list[Future[Written]]:
        """Queue moves that are written in one go, or at least in their order. Any thread."""
        items: list[tuple[Move, Future[Written]]] = [(move, Future()) for move in moves]
        with self._guard:
            self._queue.extend(items)
        self.wake()
        return [future for _, future in items]

    def tell(self, changes: LiveChanges) -> None:
        """Have pages told of what another thread has committed."""
        self._remember(changes, urgent=False)
        self.wake()

    def next_wait(self) -> float:
        with self._guard:
            return self._notice_wait() if self._live else self.interval

    def _notice_wait(self) -> float:
        """Seconds until what waits is told even if no commit takes it along."""
        now = monotonic()
        wait = self._pace.wait(now, urgent=self._live_urgent)
        return wait if self._live_urgent else max(wait, self._live_since + RIDE_SECONDS - now)

    def _remember(self, changes: LiveChanges, *, urgent: bool) -> None:
        with self._guard:
            if not self._live:
                self._live_since = monotonic()
            self._live.add(changes)
            self._live_urgent = bool(self._live) and (self._live_urgent or urgent)

    def run_once(self) -> bool:
        if self._uncertain:
            self._recognise()
        with self._guard:
            group = [self._queue.popleft() for _ in range(min(GROUP, len(self._queue)))]
            urgent = self._live_urgent or _has_end(group)
            wait = self._pace.wait(monotonic(), urgent=urgent) if group else self._notice_wait()
            live = None
            if wait <= 0:
                live, self._live, self._live_urgent = self._live, LiveChanges(), False
        if not group:
            if live:
                self._pace.told(monotonic())
                try:
                    self._store.tell(live)
                except StoreDown:
                    self._tell_again(live)
                    raise
            return False
        try:
            result = self._write([move for move, _ in group], live)
        except StoreDown:
            self._put_back(group)
            self._tell_again(live)
            raise
        except Exception:
            logger.exception("a group of %d moves failed; writing them one by one", len(group))
            self._tell_again(live)
            self._one_by_one(group)
            return True
        self._settle(group, result, told=live is not None)
        return True

    def _write(self, moves: Sequence[Move], live: LiveChanges | None) -> BatchResult:
        ends = any(move.to is Phase.ENDED for move in moves)
        elsewhere = ends and not self._plans_here()
        crash_point("before_moves")
        result = self._store.apply(moves, live, wake_scheduler=elsewhere)
        crash_point("after_moves")
        return result

    def _put_back(self, group: Sequence[tuple[Move, Future[Written]]]) -> None:
        """Nothing is lost: the group stands first in the queue again."""
        with self._guard:
            self._queue.extendleft(reversed(group))
        self._uncertain = list(group)

    def _tell_again(self, live: LiveChanges | None) -> None:
        """What was not told goes with the next notice."""
        if live is not None:
            with self._guard:
                live.add(self._live)
                self._live = live

    def _recognise(self) -> None:
        """After a broken commit: the moves that had got through leave the queue as done.

        The fence keeps others from writing, so an attempt that stands where a move leads
        was moved by it, and by those before it in the group from which that one follows. A
        note that no move followed leaves no trace to recognise: it may be told twice.
        """
        phases = self._store.phases({move.attempt for move, _ in self._uncertain})
        follows: dict[int, Move] = {}
        done = []
        first_there = {
            move.attempt: move
            for move, _ in reversed(self._uncertain)
            if move.to is not None and phases.get(move.attempt) is move.to
        }
        for move, future in reversed(self._uncertain):
            after = follows.get(move.attempt)
            if after is None:
                through = first_there.get(move.attempt) is move
            else:
                through = move.to is None or move.to in after.sources()
            if through:
                if move.to is not None:
                    follows[move.attempt] = move
                done.append((move, future))
        through_ids = {id(future) for _, future in done}
        with self._guard:
            kept = [item for item in self._queue if id(item[1]) not in through_ids]
            self._queue = deque(kept)
        self._uncertain = []
        for _, future in reversed(done):
            future.set_result(Written.DONE)
        if _has_end(done):
            self._freed()

    def _settle(
        self, group: Sequence[tuple[Move, Future[Written]]], result: BatchResult, *, told: bool
    ) -> None:
        if told:
            self._pace.told(monotonic())
        else:
            changes = LiveChanges()
            changes.add_jobs(result.jobs)
            self._remember(changes, urgent=_has_end(group))
        for (_, future), written in zip(group, result.written, strict=True):
            future.set_result(written)
        if _has_end(group):
            self._freed()

    def _one_by_one(self, group: Sequence[tuple[Move, Future[Written]]]) -> None:
        """A poison row must not wedge the others: each move alone, the bad one told of."""
        for i, (move, future) in enumerate(group):
            try:
                result = self._write([move], None)
            except StoreDown:
                self._put_back(group[i:])
                raise
            except Exception as error:
                future.set_exception(error)
            else:
                self._settle([(move, future)], result, told=False)

    def finish(self) -> None:
        """Write what is still queued."""
        while self.run_once():
            pass
        with self._guard:
            live, self._live = self._live, LiveChanges()
        if live:
            self._store.tell(live)


def _has_end(group: Sequence[tuple[Move, Future[Written]]]) -> bool:
    return any(move.to is Phase.ENDED for move, _ in group)
