"""Attempts we hold to be live × what the engine shows → what to do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.states import LIVE_PHASES, STARTED_PHASES, Phase
from orchestrator.reconcile import ORPHAN_GRACE, Action, Seen, Wanted, decide, reconcile
from providers.driver import RunState

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
OLD, YOUNG = NOW - 2 * ORPHAN_GRACE, NOW - ORPHAN_GRACE / 2

_ABSENT = (None, RunState.GONE)
_MADE = (RunState.CREATED,)
_RAN = (RunState.RUNNING, RunState.EXITED)
_ALL = (*_ABSENT, *_MADE, *_RAN)

TABLE = [
    *((phase, found, Action.PROCEED) for phase in ("placed", "pulling") for found in _ALL),
    *(("creating", found, Action.RETRY) for found in _ABSENT),
    *((phase, found, Action.LOST) for phase in ("starting", "running", "finishing")
      for found in _ABSENT),
    *((phase, found, Action.FENCE) for phase in ("creating", "starting", "running", "finishing")
      for found in _MADE),
    *((phase, found, Action.FOLLOW) for phase in ("creating", "starting", "running", "finishing")
      for found in _RAN),
]  # fmt: skip


@pytest.mark.parametrize(("phase", "found", "action"), TABLE)
def test_what_to_do_with_an_attempt_that_nobody_drives(
    phase: str, found: RunState | None, action: Action
) -> None:
    assert decide(Phase(phase), found) is action


def test_who_finds_nothing_after_a_fence_of_ours_knows_that_nothing_ran() -> None:
    for found in _ABSENT:
        assert decide(Phase.STARTING, found, fencing=True) is Action.RETRY
        assert decide(Phase.RUNNING, found, fencing=True) is Action.LOST
    assert decide(Phase.STARTING, RunState.EXITED, fencing=True) is Action.FOLLOW


def test_the_table_has_every_phase_and_every_state_once() -> None:
    rows = [(Phase(phase), found) for phase, found, _ in TABLE]
    assert len(rows) == len(set(rows)) == len(LIVE_PHASES) * (len(RunState) + 1)


def test_nothing_that_may_have_started_is_ever_brought_again() -> None:
    """The program of an attempt in `starting` or later, or one that is seen to have run,
    never leads to going on from the beginning or to a new attempt free of charge."""
    again = {Action.PROCEED, Action.RETRY}
    for phase, found, action in TABLE:
        if Phase(phase) in STARTED_PHASES | {Phase.STARTING}:
            assert action not in again
        if found in _RAN and Phase(phase) not in (Phase.PLACED, Phase.PULLING):
            assert action not in again


wanted = st.builds(
    Wanted,
    st.integers(1, 1000),
    st.sampled_from("abcdefgh"),
    st.sampled_from(sorted(LIVE_PHASES)),
    st.booleans(),
)
seen = st.builds(
    Seen,
    st.sampled_from("abcdefgh"),
    st.sampled_from(RunState),
    st.sampled_from([None, OLD, YOUNG, NOW + timedelta(hours=1)]),
)
wanted_lists = st.lists(wanted, max_size=8, unique_by=(lambda w: w.attempt, lambda w: w.uid))
seen_lists = st.lists(seen, max_size=8, unique_by=lambda s: s.uid)


@given(wanted_lists, seen_lists)
def test_every_attempt_that_nobody_drives_gets_one_action_and_no_other_does(
    live: list[Wanted], there: list[Seen]
) -> None:
    actions = reconcile(live, there, NOW)
    assert set(actions.attempts) == {w.attempt for w in live if not w.in_hand}
    states = {s.uid: s.state for s in there}
    for w in live:
        if not w.in_hand:
            assert actions.attempts[w.attempt] is decide(w.phase, states.get(w.uid))


@given(wanted_lists, seen_lists)
def test_only_old_things_that_nobody_wants_are_swept(live: list[Wanted], there: list[Seen]) -> None:
    actions = reconcile(live, there, NOW)
    uids = {w.uid for w in live}
    assert set(actions.sweep) == {s.uid for s in there if s.uid not in uids and s.created_at == OLD}


@given(wanted_lists, seen_lists)
def test_one_in_hand_is_looked_at_again_only_when_it_runs_and_is_not_there(
    live: list[Wanted], there: list[Seen]
) -> None:
    actions = reconcile(live, there, NOW)
    uids = {s.uid for s in there}
    assert set(actions.look_again) == {
        w.attempt for w in live if w.in_hand and w.phase is Phase.RUNNING and w.uid not in uids
    }


def test_a_thing_of_unknown_age_is_never_swept() -> None:
    assert reconcile([], [Seen("a", RunState.EXITED, None)], NOW).sweep == ()
