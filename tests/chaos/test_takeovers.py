"""A short run of the takeover campaign: an owner stops for longer than its lease."""

from __future__ import annotations

import pytest

from orchestrator.loop.crash_points import POINTS
from tests.chaos.campaign import Trial
from tests.chaos.scenarios.takeovers import stop_at_points, stop_docker, stop_fake

pytestmark = [pytest.mark.docker, pytest.mark.e2e, pytest.mark.usefixtures("chaos_ground")]


def test_an_owner_that_stops_just_before_it_starts_a_program_starts_it_never_again() -> None:
    verdict = stop_at_points(Trial("takeovers.at-points", list(POINTS).index("after_starting"), 1))
    assert verdict.broken == []
    assert verdict.figures["fenced attempts"] >= 1
    assert verdict.figures["writes compared"] > 0


def test_owners_that_stop_in_the_middle_of_work_write_nothing_when_they_go_on() -> None:
    verdict = stop_docker(Trial("takeovers.docker", 0, 1), stops=2)
    assert verdict.broken == []
    assert verdict.figures["takeovers"] >= 2


def test_twenty_providers_are_taken_over_at_once() -> None:
    verdict = stop_fake(Trial("takeovers.fake", 0, 1), stops=1, jobs=20)
    assert verdict.broken == []
    assert verdict.figures["takeovers"] >= 20
