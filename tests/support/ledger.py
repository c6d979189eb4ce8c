"""A stand-in for the store under the writers of state and logs: it keeps phases and log
ends in memory, by the table of jobs/states.py, and breaks when it is told to.

It is no twin of the whole store; it says what a database says to a writer: done, stale,
fenced, down before the commit, or down after it with the answer lost.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Collection, Sequence

from jobs.endings import Ending
from jobs.log.store import Append
from jobs.stat_store import Measured
from jobs.states import Phase
from jobs.transitions import BatchResult, Move, Written
from orchestrator.store import StoreDown
from projects.notify import JobChange, LiveChanges


class Poison(Exception):
    """A write that no database takes, however often it is tried."""


class Ledger:
    """Attempts and their phases. `breaks` is how the next writes fail, in their order."""

    instance = "test"

    def __init__(self) -> None:
        self.at: dict[int, Phase] = {}
        self.history: list[tuple[int, Phase]] = []
        self.endings: dict[int, Ending] = {}
        self.groups: list[int] = []
        self.told: list[LiveChanges] = []
        self.wakes = 0
        self.log_at: dict[int, int] = {}
        self.appends: list[Append] = []
        self.measured: list[Measured] = []
        self.fenced: set[int] = set()
        self.poisonous: set[int] = set()
        self.poisonous_logs: set[int] = set()
        self.breaks: deque[str] = deque()
        self.gate = threading.Event()
        self.gate.set()
        self.at_gate = threading.Event()

    def apply(
        self, moves: Sequence[Move], live: LiveChanges | None, *, wake_scheduler: bool
    ) -> BatchResult:
        self.at_gate.set()
        assert self.gate.wait(10)
        how = self._break("before")
        if any(move.attempt in self.poisonous for move in moves):
            raise Poison
        result = BatchResult([self._write(move) for move in moves])
        done = [m for m, w in zip(moves, result.written, strict=True) if w is Written.DONE]
        result.jobs = [JobChange(m.job, len(self.history), 1) for m in done]
        self.groups.append(len(moves))
        self.wakes += wake_scheduler
        if live is not None:
            live.add_jobs(result.jobs)
            if live:
                self.told.append(live)
        self._lose_answer(how)
        return result

    def _write(self, move: Move) -> Written:
        if move.attempt in self.fenced:
            return Written.FENCED
        if self.at.get(move.attempt, Phase.PLACED) not in move.sources():
            return Written.STALE
        if move.to is not None:
            self.at[move.attempt] = move.to
            self.history.append((move.attempt, move.to))
        if move.ending is not None:
            self.endings[move.attempt] = move.ending
        return Written.DONE

    def phases(self, attempts: Collection[int]) -> dict[int, Phase]:
        return {pk: self.at.get(pk, Phase.PLACED) for pk in attempts}

    def tell(self, live: LiveChanges) -> None:
        how = self._break("before")
        self.told.append(live)
        self._lose_answer(how)

    def append_logs(self, appends: Sequence[Append], measured: Sequence[Measured] = ()) -> set[int]:
        self.at_gate.set()
        assert self.gate.wait(10)
        how = self._break("before")
        if any(a.attempt in self.poisonous | self.poisonous_logs for a in appends):
            raise Poison
        if any(m.attempt in self.poisonous for m in measured):
            raise Poison
        self.measured.extend(measured)
        grown = set()
        for append in appends:
            if append.attempt in self.fenced:
                continue
            if self.log_at.get(append.attempt, 0) == append.before.seq:
                self.log_at[append.attempt] = append.after.seq
                self.appends.append(append)
                grown.add(append.attempt)
        self._lose_answer(how)
        return grown

    def log_ends(self, attempts: Collection[int]) -> dict[int, int]:
        return {pk: self.log_at.get(pk, 0) for pk in attempts}

    def _break(self, when: str) -> str:
        how = self.breaks.popleft() if self.breaks else ""
        if how == when:
            raise StoreDown("the server closed the connection")
        return how

    def _lose_answer(self, how: str) -> None:
        if how == "after":
            raise StoreDown("the answer to the commit was lost")


def never() -> None:
    """For callbacks that are not looked at."""


def always(answer: bool) -> Callable[[], bool]:
    """A callback with that answer."""
    return lambda: answer
