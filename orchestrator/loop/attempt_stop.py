"""The wish to stop one attempt's program: asked for once, sent once, however long that takes.

Before anything was made it ends the attempt; from then on until the program runs it waits.
"""

from __future__ import annotations

import threading
from dataclasses import replace

from jobs.endings import STOP_GRACE_SECONDS, Ending, StopCause, overdue_stop
from jobs.notes import Note, former_stop
from jobs.states import STARTED_PHASES, Outcome, Phase
from orchestrator.loop.attempt_moves import AttemptMoves
from orchestrator.loop.crash_points import crash_point
from orchestrator.loop.host_view import GivenUp, HostView
from orchestrator.loop.service import logger
from orchestrator.store import Order
from providers.driver import DriverError, Handle, Observation, RunState, Unreachable

STOP_AGAIN_SECONDS = 1.0


class AttemptStop:
    """One attempt's stop. Any thread may ask; it is sent in a thread of the host's."""

    def __init__(self, order: Order, host: HostView, moves: AttemptMoves) -> None:
        self._limit = order.timeout_seconds
        self._host = host
        self._moves = moves
        self._cause: StopCause | None = None
        self._handle: Handle | None = None
        """What may be stopped; None until its program has started."""
        self._taken = False
        # Of an attempt that is adopted, its former driver may have delivered a stop.
        self._adopted = order.phase in STARTED_PHASES
        self._asked_of_former = order.cancel if self._adopted else None
        self._sent: StopCause | None = None
        self._told_former = False
        self._over = threading.Event()
        self._guard = threading.Lock()

    @property
    def asked(self) -> bool:
        """Whether the attempt is to be stopped."""
        return self._cause is not None

    def ask(self, cause: StopCause) -> None:
        """Stop it, unless that was asked for already."""
        with self._guard:
            if self._cause is not None:
                return
            self._cause = cause
            crash_point("stop_asked")
            send = self._handle is not None
            early = self._moves.phase in (Phase.PLACED, Phase.PULLING)
        if send:
            self._host.in_stopping(self._send)
        elif early:
            self._host.in_stopping(self._end_early)

    def allow(self, handle: Handle) -> None:
        """Its program has started: from now on it can be stopped."""
        with self._guard:
            self._handle = handle
            send = self._cause is not None
        if send:
            self._host.in_stopping(self._send)

    def let_go(self) -> None:
        """A stop that is still to be sent is somebody else's now, or nobody's."""
        self._over.set()

    def ending(self) -> Ending:
        """The end of an attempt that was stopped before its program ran."""
        assert self._cause is not None
        outcome = Outcome.CANCELLED if self._cause.reason == "cancelled" else Outcome.FAILED
        return Ending(outcome, self._cause.reason, self._cause.detail)

    def delivered(self, seen: Observation) -> StopCause | None:
        """The stop that may have ended the program which the engine shows like this: the one
        sent here, unless the program had ended before; then a former driver's."""
        sent = self._sent
        if sent is not None and not (seen.finished_at and seen.finished_at < sent.at):
            return sent
        former = self._former(seen) if self._adopted else None
        self._told_former = former is not None
        return former or sent

    def _former(self, seen: Observation) -> StopCause | None:
        """What a former driver may have sent; of it only the cause is known, by our clock."""
        if wish := self._asked_of_former:
            return StopCause("cancelled", {"by": wish.by}, self._host.engine_time(wish.at))
        return overdue_stop(seen, self._limit)

    def notes(self, ending: Ending) -> list[Note]:
        """What is to be told of an end by a stop that a former driver sent."""
        if ending.reason in ("cancelled", "timeout") and self._told_former:
            return [former_stop(ending.reason, ending.detail)]
        return []

    def _end_early(self) -> None:
        """Before anything was made: the first of this and `creating` wins."""
        self._moves.end_early(self.ending())

    def _send(self) -> None:
        with self._guard:
            handle, cause = self._handle, self._cause
            if self._taken or handle is None or cause is None:
                return
            self._taken = True
        driver = self._host.driver
        while not self._over.is_set():
            try:
                self._host.check_trust()
                self._host.check_reach()
                if driver.observe(handle).state is RunState.RUNNING:
                    self._sent = replace(cause, at=self._host.engine_now())
                    crash_point("before_stop")
                    driver.stop(handle, STOP_GRACE_SECONDS)
                    crash_point("after_stop")
                return
            except Unreachable as error:
                self._host.note_unreachable(error)
                self._over.wait(STOP_AGAIN_SECONDS)
            except DriverError as error:
                # An engine in trouble (a full disk) may refuse: the stop is still wanted.
                logger.warning("a stop was refused, and is sent again: %s", error)
                self._over.wait(STOP_AGAIN_SECONDS)
            except GivenUp:
                # Perhaps the database was away for a moment only: whoever takes the lease
                # over sends the stop, and if nobody does, this thread still has to.
                self._over.wait(STOP_AGAIN_SECONDS)
            except Exception:
                # A driver that breaks its promise: the wish would be forgotten for good.
                logger.exception("a stop failed, and is sent again")
                self._over.wait(STOP_AGAIN_SECONDS)
