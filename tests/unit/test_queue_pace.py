"""How fast the queue drains: bars to scale, and an estimate only where there is a basis."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from jobs.queue_pace import HALF, STRETCH, Stretch, drain_of, flow_of, rough_text

BEGUN = datetime(2026, 1, 31, 12, tzinfo=UTC)


def stretches(*pairs: tuple[int, int]) -> list[Stretch]:
    """One after the other from noon on: so many arrived, so many started."""
    return [Stretch(BEGUN + n * STRETCH, *pair) for n, pair in enumerate(pairs)]


def test_both_halves_have_one_scale_and_the_largest_number_fills_its_half() -> None:
    flow = flow_of(stretches((4, 0), (2, 8), (0, 0)))
    assert [bar.up for bar in flow.bars] == [HALF / 2, HALF / 4, 0]
    assert [bar.down for bar in flow.bars] == [0, HALF, 0]
    assert flow.bars[0].up_y + flow.bars[0].up == HALF
    assert (flow.arrived, flow.started, flow.most) == (6, 8, 8)
    assert flow.bars[1].words == "12:05: 2 arrived, 8 started"


def test_a_quiet_time_is_a_line_without_bars() -> None:
    flow = flow_of(stretches((0, 0)))
    assert (flow.bars[0].up, flow.bars[0].down, flow.most) == (0, 0, 1)


def test_the_estimate_is_those_who_wait_at_the_recent_pace() -> None:
    found = drain_of(stretches(*[(1, 5)] * 12), 60, BEGUN + 12 * STRETCH)
    assert found is not None
    # the present stretch and six before it: 35 started in 35 minutes
    assert (found.started, found.minutes, found.seconds) == (35, 35, 3600)
    assert found.about == "60 min"
    assert not found.grows


def test_what_happened_before_the_basis_does_not_count() -> None:
    found = drain_of(stretches(*[(0, 900)] * 5, *[(9, 0)] * 7), 3, BEGUN + 12 * STRETCH)
    assert found is not None
    assert (found.arrived, found.started, found.grows) == (63, 0, True)


def test_too_few_starts_are_no_basis() -> None:
    found = drain_of(stretches(*[(0, 0)] * 6, (0, 4)), 10, BEGUN + 7 * STRETCH)
    assert found is not None
    assert found.seconds is None


def test_where_nobody_waits_nothing_is_estimated() -> None:
    assert drain_of(stretches((9, 9)), 0, BEGUN + timedelta(minutes=1)) is None


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "a minute"), (89, "a minute"), (150, "2 min"), (545, "9 min"), (630, "10 min"),
        (46 * 60, "45 min"), (5000, "85 min"), (5400, "1.5 h"), (9000, "2.5 h"),
        (48 * 3600, "2 d"),
    ],
)  # fmt: skip
def test_an_estimate_is_told_as_roughly_as_it_is_known(seconds: float, words: str) -> None:
    assert rough_text(seconds) == words
