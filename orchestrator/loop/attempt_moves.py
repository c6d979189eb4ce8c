"""Telling the store where one attempt is: its phase, in order, and that it is still ours."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from datetime import datetime
from typing import Any

from jobs.endings import Ending
from jobs.states import Phase
from jobs.transitions import Move, Written
from orchestrator.loop.host_view import GivenUp, HostView
from orchestrator.store import Order
from providers.driver import Observation


class AttemptMoves:
    """Writes one attempt's moves through its host. `phase` is where it is as far as told."""

    def __init__(self, order: Order, host: HostView) -> None:
        self.phase = order.phase
        self._order = order
        self._host = host
        self._unconfirmed: list[Future[Written]] = []

    def move(
        self,
        to: Phase,
        *,
        handle: Mapping[str, Any] | None = None,
        started_at: datetime | None = None,
        finished_at: datetime | None = None,
        wait: bool = True,
    ) -> None:
        """Take the next phase. Without `wait` the answer is looked at with the next one's.

        Raises GivenUp when the move was refused.
        """
        self._write(
            Move(
                attempt=self._order.attempt,
                job=self._order.job,
                fence=self._host.fence,
                to=to,
                handle=handle,
                started_at=started_at,
                finished_at=finished_at,
            ),
            wait=wait,
        )

    def end(
        self,
        ending: Ending,
        *,
        seen: Observation | None = None,
        log_complete: bool | None = None,
        log_note: str = "",
        expect: frozenset[Phase] | None = None,
    ) -> None:
        """End it. Raises GivenUp when that was refused."""
        self._write(
            Move(
                attempt=self._order.attempt,
                job=self._order.job,
                fence=self._host.fence,
                to=Phase.ENDED,
                expect=expect,
                started_at=seen.started_at if seen else None,
                finished_at=seen.finished_at if seen else None,
                ending=ending,
                log_complete=log_complete,
                log_note=log_note or None,
            )
        )

    def _write(self, move: Move, *, wait: bool = True) -> None:
        self._unconfirmed.append(self._host.submit(move))
        if wait:
            answers, self._unconfirmed = self._unconfirmed, []
            for answer in answers:
                written = answer.result()
                if written is Written.FENCED:
                    raise GivenUp("another process drives its provider now")
                if written is Written.STALE:
                    raise GivenUp(f"it is not where it was: {move.to} was refused")
        self.phase = move.to
