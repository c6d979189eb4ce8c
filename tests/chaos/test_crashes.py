"""A short run of the crash campaign: deaths around create, start and the end of an attempt,
over the real engine. `make chaos` tries every point."""

from __future__ import annotations

import pytest

from tests.chaos.campaign import Trial
from tests.chaos.scenarios.crashes import die_at, kill_at_random

pytestmark = [pytest.mark.docker, pytest.mark.e2e, pytest.mark.usefixtures("chaos_ground")]


@pytest.mark.parametrize("point", ["after_create", "after_start", "after_fence"])
def test_every_job_ends_right_when_an_engine_process_dies_at(point: str) -> None:
    verdict = die_at(point, Trial(f"crashes.{point}", 0, 1))
    assert verdict.broken == []
    assert verdict.figures["jobs"] == 5
    assert verdict.figures["most starts of an attempt"] == 1


def test_every_job_ends_right_when_engine_processes_are_killed_at_random() -> None:
    verdict = kill_at_random(Trial("crashes.random", 0, 1), kills=2, jobs=6)
    assert verdict.broken == []
    assert verdict.figures["kills"] == 2
