"""Group commit without a timer: what is queued is committed at once, and what arrives
meanwhile is the next group. A lone transition is committed immediately; a busy engine
batches by itself. Notices to pages are told with the commit, at most ten a second."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future

from jobs.states import Phase
from jobs.transitions import BatchResult, Move, Written
from orchestrator.loop.service import Service, logger, monotonic
from orchestrator.store import Store, StoreDown
from projects.notify import JobChange, LiveChanges

GROUP = 500
NOTICE_SECONDS = 0.1


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
        self._told_at = 0.0
        self._uncertain = False

    def submit(self, move: Move) -> Future[Written]:
        """Queue a move; the future tells what became of it. Any thread."""
        future: Future[Written] = Future()
        with self._guard:
            self._queue.append((move, future))
        self.wake()
        return future

    def tell(self, changes: Iterable[JobChange]) -> None:
        """Have pages told of jobs that another thread has committed."""
        with self._guard:
            self._live.add_jobs(changes)
        self.wake()

    def next_wait(self) -> float:
        with self._guard:
            waiting = bool(self._live)
        return max(0.0, self._told_at + NOTICE_SECONDS - monotonic()) if waiting else self.interval

    def run_once(self) -> bool:
        with self._guard:
            group = [self._queue.popleft() for _ in range(min(GROUP, len(self._queue)))]
            due = monotonic() >= self._told_at + NOTICE_SECONDS
            live = self._live if due else None
            if due:
                self._live = LiveChanges()
        if not group:
            if live:
                self._told_at = monotonic()
                self._store.tell(live)
            return False
        try:
            result = self._write([move for move, _ in group], live)
        except StoreDown:
            with self._guard:  # nothing is lost: the group stands first in the queue again
                self._queue.extendleft(reversed(group))
            self._uncertain = True
            raise
        except Exception:
            logger.exception("a group of %d moves failed; writing them one by one", len(group))
            self._one_by_one(group)
            return True
        self._settle(group, result, told=live is not None)
        return True

    def _write(self, moves: Sequence[Move], live: LiveChanges | None) -> BatchResult:
        elsewhere = not self._plans_here() and any(move.to is Phase.ENDED for move in moves)
        result = self._store.apply(moves, live, wake_scheduler=elsewhere)
        if self._uncertain:
            self._recognise(moves, result)
            self._uncertain = False
        return result

    def _recognise(self, moves: Sequence[Move], result: BatchResult) -> None:
        """After a broken commit: a stale move whose phase is reached had got through."""
        stale = [
            m.attempt for m, w in zip(moves, result.written, strict=True) if w == Written.STALE
        ]
        phases = self._store.phases(stale)
        for i, move in enumerate(moves):
            if result.written[i] == Written.STALE and phases.get(move.attempt) == move.to:
                result.written[i] = Written.DONE

    def _settle(
        self, group: Sequence[tuple[Move, Future[Written]]], result: BatchResult, *, told: bool
    ) -> None:
        if told:
            self._told_at = monotonic()
        else:
            with self._guard:
                self._live.add_jobs(result.jobs)
        for (_, future), written in zip(group, result.written, strict=True):
            future.set_result(written)
        if any(move.to is Phase.ENDED for move, _ in group):
            self._freed()

    def _one_by_one(self, group: Sequence[tuple[Move, Future[Written]]]) -> None:
        """A poison row must not wedge the others: each move alone, the bad one told of."""
        for move, future in group:
            try:
                result = self._write([move], None)
            except StoreDown:
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
