"""The simulation can fail: each wrong decision is caught within some seeds, and named."""

from __future__ import annotations

import pytest

from tests.simulation.listening import quiet
from tests.simulation.mutations import MUTATIONS, Mutation
from tests.simulation.world import World

WITHIN = 1000
"""So many seeds at most may pass before it shows."""


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda m: m.name)
def test_a_wrong_decision_is_caught(mutation: Mutation, monkeypatch: pytest.MonkeyPatch) -> None:
    mutation.patch(monkeypatch)
    with quiet():
        for seed in range(1, WITHIN + 1):
            broken = World(seed).run().broken
            if any(mutation.caught in sentence for sentence in broken):
                return
    pytest.fail(f"not caught in {WITHIN} seeds: {mutation.name}")
