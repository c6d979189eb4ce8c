"""`reconcile`: attempts we hold to be live × what the engine shows → what to do. Pure.

Used when a provider is taken over and, as a check, while it is held. The rules are the
design's "at most one start": a program that may have started is adopted or its result
taken, never started again; one that never started is fenced and tried anew for free.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from jobs.states import Phase
from providers.driver import RunState

ORPHAN_GRACE = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A live attempt. `in_hand`: a thread of this process is driving it now."""

    attempt: int
    uid: str
    phase: Phase
    in_hand: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """Something on the engine that carries our labels."""

    uid: str
    state: RunState
    created_at: datetime | None = None


class Action(StrEnum):
    """What to do with a live attempt that nobody drives."""

    PROCEED = "proceed"
    """Nothing was made yet: go on from the beginning under the new term."""
    FENCE = "fence"
    """It was made and had not started: remove without force; refused means adopt."""
    RETRY = "retry"
    """Nothing is there and nothing can have started: a new attempt, free of charge."""
    FOLLOW = "follow"
    """It runs or ran: adopt, or take the result."""
    LOST = "lost"
    """It had started, or may have, and is not there: removed by someone else."""


@dataclass(frozen=True, slots=True)
class Actions:
    """What follows: per attempt an action, which held ones to look at again, what to sweep."""

    attempts: Mapping[int, Action] = field(default_factory=dict)
    look_again: tuple[int, ...] = ()
    sweep: tuple[str, ...] = ()


def reconcile(wanted: Sequence[Wanted], seen: Sequence[Seen], now: datetime) -> Actions:
    """Compare. `now` is on the engine's clock, for the age of what nobody wants."""
    there = {s.uid: s for s in seen}
    actions: dict[int, Action] = {}
    look_again: list[int] = []
    for attempt in wanted:
        found = there.get(attempt.uid)
        if attempt.in_hand:
            if attempt.phase is Phase.RUNNING and found is None:
                look_again.append(attempt.attempt)
        else:
            actions[attempt.attempt] = decide(attempt.phase, found.state if found else None)
    known = {w.uid for w in wanted}
    sweep = tuple(
        s.uid
        for s in seen
        if s.uid not in known and s.created_at is not None and s.created_at + ORPHAN_GRACE < now
    )
    return Actions(actions, tuple(look_again), sweep)


def decide(phase: Phase, found: RunState | None, *, fencing: bool = False) -> Action:
    """The action for one attempt in this phase whose container is in that state (None: absent).

    `fencing`: it was about to be removed by us because it had not been started.
    """
    if phase in (Phase.PLACED, Phase.PULLING):
        return Action.PROCEED
    if found is None or found is RunState.GONE:
        # In `creating` the start was never committed, and no stale owner can commit it now.
        if phase is Phase.CREATING or (fencing and phase is Phase.STARTING):
            return Action.RETRY
        return Action.LOST
    if found is RunState.CREATED:
        return Action.FENCE
    return Action.FOLLOW
