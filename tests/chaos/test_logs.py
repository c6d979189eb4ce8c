"""Short runs of cut readings, induced losses and clean logs; `make chaos` runs the long ones."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.chaos.campaign import Trial, Verdict
from tests.chaos.scenarios.logs import clean, cuts, removed, rotated, undecodable

pytestmark = [pytest.mark.docker, pytest.mark.e2e, pytest.mark.usefixtures("chaos_ground")]


def trial(number: int) -> Trial:
    return Trial("logs", number, 1 + number)


def test_logs_whose_readings_are_cut_anywhere_are_stored_byte_for_byte() -> None:
    verdict = cuts(trial(0), wanted=15, jobs=4, steps=25)
    assert verdict.broken == []
    assert verdict.figures["cuts"] >= 15
    assert verdict.figures["logs"] >= 4


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("lose", [rotated, removed, undecodable])
def test_output_that_is_lost_is_said_to_be_lost(
    lose: Callable[[Trial], Verdict], number: int
) -> None:
    verdict = lose(trial(number))
    assert verdict.broken == []
    assert verdict.figures["flagged"] == verdict.figures["losses"] == 1


def test_logs_to_which_nothing_happened_are_whole_and_said_to_be() -> None:
    verdict = clean(trial(0), jobs=8)
    assert verdict.broken == []
    assert (verdict.figures["clean runs"], verdict.figures["false flags"]) == (8, 0)
