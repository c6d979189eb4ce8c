"""How often pages are told: eight a second at length, an end at once after a quiet time."""

from __future__ import annotations

from itertools import pairwise

from orchestrator.loop.pace import APART_SECONDS, PER_SECOND, SAVED, Pace


def notices(seconds: float, *, urgent: bool) -> list[float]:
    """When notices go if there is always something to tell, in steps of a millisecond."""
    pace, sent = Pace(), []
    for step in range(int(seconds * 1000)):
        now = 100 + step / 1000
        if pace.wait(now, urgent=urgent) <= 0:
            pace.told(now)
            sent.append(now)
    return sent


def test_ends_go_at_once_until_the_saved_ones_are_used_up() -> None:
    sent = notices(10, urgent=True)
    at_once = int(SAVED)
    assert sent[:at_once] == [100 + step / 1000 for step in range(at_once)]
    assert len(sent) <= 10 * PER_SECOND + SAVED


def test_no_second_has_more_than_ten() -> None:
    sent = notices(10, urgent=True)
    assert max(sum(one <= other < one + 1 for other in sent) for one in sent) <= 10


def test_the_rest_keeps_its_distance() -> None:
    sent = notices(10, urgent=False)
    assert min(later - one for one, later in pairwise(sent)) > APART_SECONDS / 2
    assert 10 * PER_SECOND * 0.8 < len(sent) <= 10 * PER_SECOND + 1


def test_one_notice_is_left_for_the_next_end() -> None:
    pace = Pace()
    for _ in range(int(SAVED) - 1):
        pace.told(100.0)
    assert pace.wait(100.0, urgent=False) > 0
    assert pace.wait(100.0, urgent=True) == 0
