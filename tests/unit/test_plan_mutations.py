"""The promises of a plan can be broken: each rule left out of the planner shows within few of the
queues that `make plan-cases` makes up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
import pytest

from orchestrator.scheduling import order, policy, rooms
from orchestrator.scheduling.fleet import Fleet
from orchestrator.scheduling.limits import Limits
from orchestrator.scheduling.order import Turn
from orchestrator.scheduling.rooms import Rooms
from orchestrator.scheduling.snapshot import Snapshot
from tests.support.plain_planner import PlainPlanner
from tests.support.snapshots import snapshot

WITHIN = 150
Patch = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True, slots=True)
class Mutation:
    """A rule that is left out."""

    name: str
    patch: Patch


def _nothing(owner: object, name: str) -> Patch:
    """The method does nothing."""
    return lambda patch: patch.setattr(owner, name, lambda self, *given: None)


def _answers(owner: object, name: str, answer: Any) -> Patch:
    """The function answers always so."""
    return lambda patch: patch.setattr(owner, name, lambda *given: answer)


def _memory_is_not_counted(patch: pytest.MonkeyPatch) -> None:
    take = Rooms.take

    def wrong(self: Rooms, index: int, *given: Any) -> None:
        memory = self.memory[index]
        take(self, index, *given)
        self.memory[index] = memory

    patch.setattr(Rooms, "take", wrong)


def _no_aging(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(order, "level", lambda priority, waited, patience: priority)


def _no_fair_turn(patch: pytest.MonkeyPatch) -> None:
    def wrong(self: Turn) -> None:
        self.share = 0.0

    patch.setattr(Turn, "_count", wrong)


def _images_are_everywhere(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Fleet, "has_image", lambda self, image: np.ones(len(self.views), bool))


MUTATIONS = (
    Mutation("no limits are taken", _nothing(Limits, "take")),
    Mutation("no limit refuses", _answers(Limits, "refusal", None)),
    Mutation("no anti-affinity", _answers(Rooms, "_shunned", [])),
    Mutation("no aging", _no_aging),
    Mutation("no fair turn", _no_fair_turn),
    Mutation("nothing is kept free", _nothing(Rooms, "keep_free")),
    Mutation("no limits are kept", _nothing(Limits, "keep")),
    Mutation("memory is not counted", _memory_is_not_counted),
    Mutation("GPUs are kept for nobody", lambda patch: patch.setattr(rooms, "KEPT_FOR_GPUS", 0)),
    Mutation("no image locality", _images_are_everywhere),
    Mutation("nobody gives way", _answers(policy, "giving_way", ())),
)


def differs(made_up: Snapshot) -> bool:
    """Whether the planner's plan is another than that of the plain one."""
    made, plain = policy.plan(made_up), PlainPlanner(made_up).plan()
    return (
        [(p.job, p.provider) for p in made.placements] != plain.placements
        or {one.job for one in made.give_way} != plain.give_way
        or {w.waiting: w.reason for w in made.waits} != plain.reasons
    )


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda one: one.name)
def test_a_rule_that_is_left_out_is_noticed(
    mutation: Mutation, monkeypatch: pytest.MonkeyPatch
) -> None:
    mutation.patch(monkeypatch)
    assert any(differs(snapshot(Random(seed))) for seed in range(WITHIN))


def test_and_nothing_is_where_none_is_left_out() -> None:
    assert not any(differs(snapshot(Random(seed))) for seed in range(WITHIN))
