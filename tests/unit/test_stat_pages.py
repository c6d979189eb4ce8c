"""Readings in compact form: what is packed comes back, and no peak is lost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from jobs.stat_pages import PAGE_SECONDS, Reading, drawn_together, pack, page_of, unpack

T0 = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
READINGS = st.builds(
    Reading,
    st.integers(0, 10**9).map(lambda ms: T0 + timedelta(milliseconds=ms, microseconds=377)),
    st.integers(0, 2**31),
    st.integers(0, 2**40),
)


@given(READINGS)
def test_a_reading_comes_back_to_the_millisecond_and_the_kibibyte(reading: Reading) -> None:
    (back,) = unpack(page_of(reading.at), pack(reading))
    assert abs(back.at - reading.at) <= timedelta(milliseconds=2)
    assert back.cpu_millis == reading.cpu_millis
    assert 0 <= back.memory_bytes - reading.memory_bytes < 1024


def test_half_a_reading_at_the_end_of_a_page_is_left_out() -> None:
    body = pack(Reading(T0, 1, 1024)) * 2
    assert len(unpack(page_of(T0), body[:-1])) == 1


def test_a_page_holds_ten_minutes() -> None:
    assert page_of(T0) + 1 == page_of(T0 + timedelta(seconds=PAGE_SECONDS))


@given(st.lists(st.integers(0, 2**30), max_size=300), st.integers(1, 50))
def test_drawn_together_there_are_no_more_than_asked_and_the_peak_is_among_them(
    memory: list[int], most: int
) -> None:
    readings = [Reading(T0 + timedelta(seconds=5 * n), n, m) for n, m in enumerate(memory)]
    drawn = drawn_together(readings, most)
    assert len(drawn) <= most
    assert max((r.memory_bytes for r in drawn), default=0) == max(memory, default=0)
    assert [r.at for r in drawn][-1:] == [r.at for r in readings][-1:]
