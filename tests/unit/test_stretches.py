"""How far a search through jobs goes at once, and when it stops."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from jobs.stretches import ALL, FIRST_SIZE, LARGEST_SIZE, NONE, Ids, next_size

SIZES = st.integers(1, 10**6)
BOUNDS = st.integers(1, 10**7)


@given(low=BOUNDS, high=BOUNDS, size=SIZES, upward=st.booleans())
def test_stretches_are_looked_through_in_order_without_a_gap_or_an_overlap(
    low: int, high: int, size: int, upward: bool
) -> None:
    whole = Ids(low, high)
    here, rest = whole.divided(size, upward=upward)
    assert len(here) == min(size, len(whole))
    assert len(here) + len(rest) == len(whole)
    if rest:
        assert (rest.low if upward else rest.high) == (here.high + 1 if upward else here.low - 1)
        assert (here.low if upward else here.high) == (low if upward else high)


def test_ids_are_narrowed_from_both_sides_down_to_none() -> None:
    assert Ids(5, 9).within(low=7) == Ids(7, 9)
    assert Ids(5, 9).within(high=7) == Ids(5, 7)
    assert Ids(5, 9).within() == Ids(5, 9)
    assert not Ids(5, 9).within(low=10)
    assert not NONE
    assert len(NONE) == 0
    assert ALL.within(high=3) == Ids(1, 3)


def test_a_quick_stretch_is_followed_by_a_larger_one_up_to_the_largest() -> None:
    assert next_size(FIRST_SIZE, took=0.001, left=0.049) == 4 * FIRST_SIZE
    assert next_size(LARGEST_SIZE, took=0.001, left=0.049) == LARGEST_SIZE


def test_one_that_took_a_good_part_of_the_time_is_followed_by_an_equal_one() -> None:
    assert next_size(FIRST_SIZE, took=0.02, left=0.03) == FIRST_SIZE


@given(size=SIZES, took=st.floats(0, 10), left=st.floats(-10, 10))
def test_a_search_never_begins_a_stretch_for_which_there_is_no_time(
    size: int, took: float, left: float
) -> None:
    following = next_size(size, took=took, left=left)
    if took > left:
        assert following == 0
    elif following:
        assert took * following / size <= max(left, 0) or following == size
