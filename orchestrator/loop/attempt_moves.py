"""Telling the store where one attempt is: its phase, in order, and that it is still ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from datetime import datetime
from typing import Any

from jobs.endings import Ending
from jobs.notes import Note, adopted
from jobs.states import Phase
from jobs.transitions import Move, Written
from orchestrator.loop.host_view import GivenUp, HostView
from orchestrator.store import Order
from providers.driver import Observation, RunState

FOUND = {
    None: "nothing had been made for it yet",
    RunState.CREATED: "its container is there, not started",
    RunState.RUNNING: "its program runs",
    RunState.EXITED: "its program had ended",
    RunState.GONE: "its container is not there",
}


class AttemptMoves:
    """Writes one attempt's moves through its host. `phase` is where it is as far as told.

    It belongs to the attempt's own thread; `end_early` alone may be called by any.
    """

    def __init__(self, order: Order, host: HostView) -> None:
        self.phase = order.phase
        self._order = order
        self._host = host
        self._kept: list[Move] = []
        self._unconfirmed: list[Future[Written]] = []

    def move(
        self,
        to: Phase,
        *,
        handle: Mapping[str, Any] | None = None,
        started_at: datetime | None = None,
        finished_at: datetime | None = None,
        wait: bool = True,
        keep: bool = False,
    ) -> None:
        """Take the next phase. Without `wait` the answer is looked at with the next one's.
        To `keep` it is to have it written with the next one, or by `tell`.

        Raises GivenUp when the move was refused.
        """
        self._kept.append(
            Move(
                attempt=self._order.attempt,
                job=self._order.job,
                fence=self._host.fence,
                to=to,
                handle=handle,
                started_at=started_at,
                finished_at=finished_at,
            )
        )
        if not keep:
            self.tell()
            if wait:
                self._confirm()
        self.phase = to

    def tell(self) -> None:
        """Have written what was kept; does not wait for it."""
        kept, self._kept = self._kept, []
        if kept:
            self._unconfirmed += self._host.submit(kept)

    def note(self, note: Note) -> None:
        """Tell what was decided of it; does not wait for that."""
        self._kept.append(
            Move(
                attempt=self._order.attempt,
                job=self._order.job,
                fence=self._host.fence,
                to=None,
                notes=(note,),
            )
        )
        self.tell()

    def fencing(self) -> None:
        """Tell that its container is about to be removed because it was not started, so that
        whoever finds none knows why. Raises GivenUp when that was refused."""
        self._kept.append(
            Move(
                attempt=self._order.attempt,
                job=self._order.job,
                fence=self._host.fence,
                to=None,
                fencing=True,
            )
        )
        self.tell()
        self._confirm()

    def taken_up(self, found: RunState | None) -> None:
        """Tell that it is driven by this process now, if it was by another. `found` is the
        state of its container; None: nothing had been made."""
        if 0 < self._order.run.term < self._host.fence.term:
            self.note(adopted(self._host.holder, self._host.fence.term, FOUND[found]))

    def end(
        self,
        ending: Ending,
        *,
        seen: Observation | None = None,
        log_complete: bool | None = None,
        log_note: str = "",
        notes: Sequence[Note] = (),
    ) -> None:
        """End it. Raises GivenUp when that was refused."""
        self._kept.append(
            Move(
                attempt=self._order.attempt,
                job=self._order.job,
                fence=self._host.fence,
                to=Phase.ENDED,
                started_at=seen.started_at if seen else None,
                finished_at=seen.finished_at if seen else None,
                ending=ending,
                log_complete=log_complete,
                log_note=log_note or None,
                notes=tuple(notes),
            )
        )
        self.tell()
        self._confirm()
        self.phase = Phase.ENDED

    def end_early(self, ending: Ending) -> bool:
        """End it if nothing has been made for it; False when that came too late.

        The answers to its thread's own moves are left to that thread: it must not go on
        to make anything before it has seen them.
        """
        move = Move(
            attempt=self._order.attempt,
            job=self._order.job,
            fence=self._host.fence,
            to=Phase.ENDED,
            expect=frozenset({Phase.PLACED, Phase.PULLING}),
            ending=ending,
        )
        (answer,) = self._host.submit([move])
        return answer.result() is Written.DONE

    def _confirm(self) -> None:
        """Wait for the answers. Raises GivenUp at the first refusal."""
        answers, self._unconfirmed = self._unconfirmed, []
        for answer in answers:
            written = answer.result()
            if written is Written.FENCED:
                raise GivenUp("another process drives its provider now")
            if written is Written.STALE:
                raise GivenUp("it is not where it was: its next phase was refused")
