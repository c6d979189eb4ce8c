"""Whose answer is whose, where an attempt is asked to end while its thread brings it on."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from typing import cast

import pytest

from jobs.endings import Ending
from jobs.states import Outcome, Phase
from jobs.transitions import Move, Written
from orchestrator.loop.attempt_moves import AttemptMoves
from orchestrator.loop.host_view import GivenUp, HostView
from orchestrator.store import Order
from providers.driver import RunSpec
from providers.leases import Fence

CANCELLED = Ending(Outcome.CANCELLED, "cancelled", {"by": "ann"})


class Host:
    """Keeps what was submitted; the test answers."""

    fence = Fence("provider:1", 1)

    def __init__(self) -> None:
        self.asked: list[Move] = []
        self.answers: list[Written] = []

    def submit(self, moves: Sequence[Move]) -> list[Future[Written]]:
        self.asked += moves
        futures: list[Future[Written]] = []
        for _ in moves:
            future: Future[Written] = Future()
            future.set_result(self.answers.pop(0))
            futures.append(future)
        return futures


@pytest.fixture
def host() -> Host:
    return Host()


@pytest.fixture
def moves(host: Host) -> AttemptMoves:
    run = cast(RunSpec, None)
    order = Order(attempt=5, job=3, provider=1, phase=Phase.PLACED, run=run, timeout_seconds=60)
    return AttemptMoves(order, cast(HostView, host))


def test_an_early_end_leaves_the_threads_own_answers_to_it(host: Host, moves: AttemptMoves) -> None:
    host.answers = [Written.STALE, Written.DONE, Written.DONE]
    moves.move(Phase.PULLING, wait=False)
    assert moves.end_early(CANCELLED)
    with pytest.raises(GivenUp):  # at the refusal of `pulling`, which it has not seen yet
        moves.move(Phase.CREATING)


def test_an_early_end_takes_nothing_from_an_attempt_that_was_begun(
    host: Host, moves: AttemptMoves
) -> None:
    host.answers = [Written.STALE]
    assert not moves.end_early(CANCELLED)
    assert host.asked[0].sources() == frozenset({Phase.PLACED, Phase.PULLING})
    assert moves.phase is Phase.PLACED
