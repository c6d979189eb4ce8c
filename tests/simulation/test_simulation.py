"""Seeds of the simulation that are part of every run of the suite."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.simulation.campaign import run
from tests.simulation.kept_seeds import KEPT
from tests.simulation.listening import quiet
from tests.simulation.world import World

SEEDS = 2000
PARTS = 4


@pytest.mark.parametrize("part", range(PARTS))
def test_whatever_befalls_the_engine_its_promises_hold(part: int) -> None:
    tally = run(range(1 + part, SEEDS + 1, PARTS))
    assert tally.seeds == SEEDS // PARTS
    assert tally.broken == {}


@pytest.mark.parametrize("seed", KEPT)
def test_what_a_seed_found_once_stays_mended(seed: int) -> None:
    with quiet():
        assert World(seed).run().broken == ()


def test_runs_are_long_enough_to_mean_something() -> None:
    tally = run(range(1, 401))
    few = [name for name in ("kill", "stop", "takeovers", "lost_reply", "late_request", "log_cut",
                             "cancel", "database_gone", "crash_point")
           if tally.counts[name] < 10]  # fmt: skip
    assert few == []
    assert tally.counts["starts"] > 300


DIGESTS = """
import django; django.setup()
from tests.simulation.world import World
print([World(seed).run().digest for seed in range(1, 41)])
"""


def test_a_seed_is_the_same_run_in_every_process() -> None:
    """Whatever order that process's sets and hashes have."""

    def digests(hash_seed: str) -> str:
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": "."}
        environment.setdefault("DJANGO_SETTINGS_MODULE", "orchestrator.settings")
        done = subprocess.run(
            [sys.executable, "-c", DIGESTS],
            env=environment, capture_output=True, text=True, timeout=300, check=True,
        )  # fmt: skip
        return done.stdout.splitlines()[-1]

    assert digests("1") == digests("2")
