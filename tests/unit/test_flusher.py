"""Group commit: at once, in order, and nothing lost when the database breaks off."""

from __future__ import annotations

from concurrent.futures import Future
from typing import cast

import pytest

from jobs.endings import Ending
from jobs.states import Outcome, Phase
from jobs.transitions import Move, Written
from orchestrator.loop import flusher as flusher_module
from orchestrator.loop.flusher import GROUP, Flusher
from orchestrator.loop.pace import RIDE_SECONDS
from orchestrator.store import Store, StoreDown
from projects.notify import JobChange, LiveChanges
from providers.leases import Fence
from tests.support.ledger import Ledger, Poison, always, never

FENCE = Fence("provider:1", 4)
DONE = Ending(Outcome.COMPLETED, "succeeded", {}, 0)
WAY = (Phase.CREATING, Phase.STARTING, Phase.RUNNING, Phase.FINISHING, Phase.ENDED)


def move(attempt: int, to: Phase, expect: frozenset[Phase] | None = None) -> Move:
    ending = DONE if to is Phase.ENDED else None
    return Move(attempt=attempt, job=attempt, fence=FENCE, to=to, ending=ending, expect=expect)


def made(ledger: Ledger, *, plans_here: bool = True) -> Flusher:
    return Flusher(cast(Store, ledger), freed=never, plans_here=always(plans_here))


def answers(futures: list[Future[Written]]) -> list[Written]:
    assert all(future.done() for future in futures)
    return [future.result() for future in futures]


def drain(flusher: Flusher) -> None:
    """Rounds until nothing is queued; a broken store is tried again, as the service does."""
    for _ in range(1000):
        try:
            if not flusher.run_once():
                return
        except StoreDown:
            continue
    raise AssertionError("the queue never became empty")


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


def test_a_lone_transition_does_not_wait_for_company(ledger: Ledger) -> None:
    flusher = made(ledger)
    flusher.start(lambda name: None)
    try:
        assert flusher.submit(move(1, Phase.CREATING)).result(5) is Written.DONE
        assert flusher.submit(move(1, Phase.STARTING)).result(5) is Written.DONE
        assert ledger.groups == [1, 1]
    finally:
        flusher.stop()
        assert flusher.join(5)


def test_what_arrives_during_a_commit_is_the_next_group(ledger: Ledger) -> None:
    flusher = made(ledger)
    flusher.start(lambda name: None)
    try:
        ledger.gate.clear()
        first = flusher.submit(move(1, Phase.CREATING))
        assert ledger.at_gate.wait(5)
        rest = [flusher.submit(move(n, Phase.CREATING)) for n in range(2, 30)]
        ledger.gate.set()
        assert first.result(5) is Written.DONE
        assert {future.result(5) for future in rest} == {Written.DONE}
        assert ledger.groups == [1, 28]
    finally:
        flusher.stop()
        assert flusher.join(5)


def test_a_group_is_bounded_and_order_is_kept_over_groups(ledger: Ledger) -> None:
    flusher = made(ledger)
    futures = [flusher.submit(move(n, to)) for to in WAY for n in range(300)]
    drain(flusher)
    assert set(answers(futures)) == {Written.DONE}
    assert max(ledger.groups) == GROUP
    assert ledger.history == [(n, to) for to in WAY for n in range(300)]


@pytest.mark.parametrize("how", ["before", "after"])
@pytest.mark.parametrize("times", [1, 3])
def test_a_broken_database_loses_nothing_and_keeps_the_order(
    ledger: Ledger, how: str, times: int
) -> None:
    flusher = made(ledger)
    first = [flusher.submit(move(n, Phase.CREATING)) for n in range(3)]
    ledger.breaks.extend([how] * times)
    with pytest.raises(StoreDown):
        flusher.run_once()
    assert not any(future.done() for future in first)
    later = [flusher.submit(move(n, Phase.STARTING)) for n in range(3)]
    drain(flusher)
    assert set(answers(first + later)) == {Written.DONE}
    assert ledger.history == [(n, Phase.CREATING) for n in range(3)] + [
        (n, Phase.STARTING) for n in range(3)
    ]


def test_several_moves_of_one_attempt_in_a_commit_of_unknown_outcome_are_recognised(
    ledger: Ledger,
) -> None:
    flusher = made(ledger)
    ledger.at[1] = Phase.STARTING
    futures = [flusher.submit(move(1, to)) for to in (Phase.RUNNING, Phase.FINISHING)]
    ledger.breaks.append("after")
    drain(flusher)
    assert answers(futures) == [Written.DONE, Written.DONE]
    assert ledger.history == [(1, Phase.RUNNING), (1, Phase.FINISHING)]


def test_a_commit_of_unknown_outcome_does_not_hide_who_won_a_race(ledger: Ledger) -> None:
    """An early cancel and `creating` exclude each other: whoever lost stays the loser."""
    flusher = made(ledger)
    early = frozenset({Phase.PLACED, Phase.PULLING})
    futures = [
        flusher.submit(move(1, Phase.ENDED, early)),
        flusher.submit(move(1, Phase.CREATING)),
        flusher.submit(move(2, Phase.CREATING)),
        flusher.submit(move(2, Phase.ENDED, early)),
    ]
    ledger.breaks.append("after")
    drain(flusher)
    assert answers(futures) == [Written.DONE, Written.STALE, Written.DONE, Written.STALE]


def test_a_stale_move_and_a_lost_lease_are_answered_as_such(ledger: Ledger) -> None:
    flusher = made(ledger)
    ledger.at[1] = Phase.RUNNING
    ledger.fenced.add(2)
    futures = [flusher.submit(move(n, Phase.CREATING)) for n in (1, 2, 3)]
    drain(flusher)
    assert answers(futures) == [Written.STALE, Written.FENCED, Written.DONE]


def test_one_poisonous_write_does_not_wedge_the_others(ledger: Ledger) -> None:
    flusher = made(ledger)
    ledger.poisonous.add(2)
    futures = [flusher.submit(move(n, Phase.CREATING)) for n in (1, 2, 3)]
    drain(flusher)
    assert futures[0].result() is futures[2].result() is Written.DONE
    with pytest.raises(Poison):
        futures[1].result()


def test_a_database_that_breaks_while_poison_is_sorted_out_loses_nothing(ledger: Ledger) -> None:
    flusher = made(ledger)
    ledger.poisonous.add(2)
    futures = [flusher.submit(move(n, Phase.CREATING)) for n in (1, 2, 3, 4)]
    ledger.breaks.extend(["", "", "", "before"])  # the group, then 1, 2 and 3 alone
    drain(flusher)
    assert [futures[n].result() for n in (0, 2, 3)] == [Written.DONE] * 3
    assert futures[1].exception() is not None


def test_what_pages_must_be_told_survives_a_broken_database(ledger: Ledger) -> None:
    flusher = made(ledger)
    flusher.tell(LiveChanges({77: JobChange(77, 1, 1)}))
    flusher.submit(move(1, Phase.CREATING))
    ledger.breaks.append("before")
    drain(flusher)
    assert {job for live in ledger.told for job in live.jobs} >= {77, 1}


def test_a_notice_alone_survives_a_broken_database(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flusher_module, "RIDE_SECONDS", 0.0)
    flusher = made(ledger)
    flusher.tell(LiveChanges({77: JobChange(77, 1, 1)}))
    ledger.breaks.append("before")
    drain(flusher)
    flusher.finish()
    assert {job for live in ledger.told for job in live.jobs} == {77}


def test_a_busy_flusher_tells_pages_at_most_each_tenth_of_a_second(ledger: Ledger) -> None:
    flusher = made(ledger)
    for n in range(200):
        flusher.submit(move(n, Phase.CREATING))
        flusher.run_once()
    assert len(ledger.told) < 100  # 200 commits, far less than a tenth of a second each
    flusher.finish()
    assert {job for live in ledger.told for job in live.jobs} == set(range(200))


def test_an_end_is_told_at_once_though_pages_were_just_told(ledger: Ledger) -> None:
    flusher = made(ledger)
    flusher.submit(move(1, Phase.CREATING))
    flusher.run_once()
    flusher.submit(move(1, Phase.STARTING))
    flusher.run_once()
    assert [sorted(live.jobs) for live in ledger.told] == [[1]]
    flusher.submit(move(2, Phase.ENDED))
    flusher.run_once()
    assert [sorted(live.jobs) for live in ledger.told] == [[1], [1, 2]]


def test_many_ends_are_told_together(ledger: Ledger) -> None:
    flusher = made(ledger)
    for n in range(200):
        flusher.submit(move(n, Phase.ENDED))
        flusher.run_once()
    assert len(ledger.told) < 50  # 200 commits in far less than the seconds that 45 would take
    flusher.finish()
    assert {job for live in ledger.told for job in live.jobs} == set(range(200))


def test_news_of_another_thread_ride_with_the_next_commit(ledger: Ledger) -> None:
    flusher = made(ledger)
    flusher.tell(LiveChanges({77: JobChange(77, 1, 1)}))
    assert not flusher.run_once()
    assert 0 < flusher.next_wait() <= RIDE_SECONDS
    flusher.submit(move(1, Phase.CREATING))
    flusher.run_once()
    assert [sorted(live.jobs) for live in ledger.told] == [[1, 77]]


def test_the_scheduler_of_another_process_is_woken_by_an_end_only(ledger: Ledger) -> None:
    flusher = made(ledger, plans_here=False)
    flusher.submit(move(1, Phase.CREATING))
    drain(flusher)
    assert ledger.wakes == 0
    flusher.submit(move(1, Phase.ENDED))
    drain(flusher)
    assert ledger.wakes == 1


def test_ending_writes_what_is_still_queued(ledger: Ledger) -> None:
    flusher = made(ledger)
    futures = [flusher.submit(move(n, Phase.CREATING)) for n in range(3)]
    flusher.finish()
    assert set(answers(futures)) == {Written.DONE}
