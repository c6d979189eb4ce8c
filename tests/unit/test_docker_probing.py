"""The engine's clock, as far as one question and its answer can tell."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from providers.drivers.docker.probing import _offset_ms

ASKED = datetime(2026, 1, 1, tzinfo=UTC)
ANSWERED = ASKED + timedelta(seconds=2)


@pytest.mark.parametrize(
    ("told", "offset_ms"),
    [
        (ASKED + timedelta(seconds=0.1), 0),
        (ASKED + timedelta(seconds=1.9), 0),
        (ASKED + timedelta(seconds=11), 10_000),
        (ASKED - timedelta(seconds=9), -10_000),
    ],
)
def test_a_slow_answer_is_no_difference_between_the_clocks(told: datetime, offset_ms: int) -> None:
    info = {"SystemTime": told.isoformat().replace("+00:00", "Z")}
    assert _offset_ms(info, ASKED, ANSWERED) == offset_ms


def test_an_engine_that_tells_no_time_has_no_offset() -> None:
    assert _offset_ms({}, ASKED, ANSWERED) is None
