"""Short runs of what is bounded and how soon recovery is over; `make chaos` runs the long ones."""

from __future__ import annotations

import pytest

from tests.chaos.campaign import Trial
from tests.chaos.scenarios.bounds import crowd, flood, leaks
from tests.chaos.scenarios.recovery import readopt

pytestmark = [pytest.mark.docker, pytest.mark.e2e, pytest.mark.usefixtures("chaos_ground")]

TRIAL = Trial("bounds", 0, 1)


def test_running_attempts_are_followed_again_soon_after_their_engine_process_was_killed() -> None:
    verdict = readopt(TRIAL, running=8, kills=1)
    assert verdict.broken == []
    assert verdict.figures["re-attached"] == 8


def test_a_flood_of_output_does_not_grow_the_engine_process() -> None:
    verdict = flood(TRIAL, size=48 << 20)
    assert verdict.broken == []
    assert verdict.figures["samples"] > 3


def test_many_jobs_at_once_take_little_memory_and_six_connections_at_most() -> None:
    verdict = crowd(TRIAL, running=60, seconds=3)
    assert verdict.broken == []
    assert verdict.figures["most jobs at once"] > 30


def test_nothing_is_left_of_many_jobs() -> None:
    verdict = leaks(TRIAL, count=24, warm=10)
    assert verdict.broken == []
