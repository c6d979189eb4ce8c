"""A followed reading is given up when the engine's rotation may have passed it, and only then."""

from __future__ import annotations

from providers.drivers.docker.pace import OLD_BYTES, Pace

SECOND = 1_000_000_000
MIB = 2**20


def test_lines_that_come_at_once_are_followed_for_hours() -> None:
    pace = Pace(32 * MIB)
    pace.begin()
    at = [second * SECOND for second in range(3600)]
    assert not any(pace.may_be_passed(2000, stamp, stamp + SECOND // 100) for stamp in at)


def test_a_difference_of_the_clocks_is_no_delay() -> None:
    pace = Pace(32 * MIB)
    pace.begin()
    hour = 3600 * SECOND
    assert not any(pace.may_be_passed(20_000, n, n + hour + n % 7) for n in range(100))
    assert not any(pace.may_be_passed(20_000, n, n - hour + n % 7) for n in range(100))


def test_old_lines_are_borne_for_a_moment_but_not_for_as_much_as_the_buffers_hold() -> None:
    pace = Pace(32 * MIB)
    pace.begin()
    pace.may_be_passed(10, 0, 0)
    assert not pace.may_be_passed(OLD_BYTES, 0, 2 * SECOND)
    assert pace.may_be_passed(1, 0, 2 * SECOND)


def test_one_late_line_among_fresh_ones_is_forgiven() -> None:
    pace = Pace(32 * MIB)
    pace.begin()
    for second in range(100):
        now = second * SECOND
        assert not pace.may_be_passed(40_000, now - (second % 2) * 3 * SECOND, now)


def test_a_flood_is_followed_for_a_quarter_of_a_file_at_most() -> None:
    pace = Pace(4 * MIB)
    for _ in range(2):
        pace.begin()
        taken = 0
        while not pace.may_be_passed(64 * 1024, 0, 0):
            taken += 64 * 1024
        assert taken == MIB


def test_what_a_flood_brings_is_not_followed_before_it_brings_less() -> None:
    pace = Pace(4 * MIB)
    assert pace.pours(MIB + 1)
    assert not pace.pours(MIB)
