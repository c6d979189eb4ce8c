"""What an attempt uses, drawn: paths in a box of 1000 by 100."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from jobs.use_plot import HEIGHT, WIDTH, plot_of

T0 = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


def at(*values: float, apart: float = 5) -> list[tuple[datetime, float]]:
    return [(T0 + timedelta(seconds=apart * n), value) for n, value in enumerate(values)]


def places(path: str) -> list[tuple[float, float]]:
    return [
        (float(x), float(y)) for x, y in (one.split() for one in path.removeprefix("M").split("L"))
    ]


def test_the_line_goes_through_the_points_and_the_limit_is_where_they_would_reach_it() -> None:
    plot = plot_of(at(0, 50, 100), 100)
    assert [x for x, _ in places(plot.line)] == [0, WIDTH / 2, WIDTH]
    bottom, middle, top = [y for _, y in places(plot.line)]
    assert (bottom, top) == (HEIGHT, plot.limit_y)
    assert abs(middle - (bottom + top) / 2) <= 0.1
    assert plot.area == f"{plot.line}V{HEIGHT}H0Z"


def test_time_is_even_where_readings_are_not() -> None:
    uneven = [(T0, 1.0), (T0 + timedelta(seconds=10), 1.0), (T0 + timedelta(seconds=40), 1.0)]
    assert [x for x, _ in places(plot_of(uneven, 2).line)] == [0, 250, 1000]


def test_a_single_reading_is_a_dot() -> None:
    plot = plot_of(at(50), 100)
    assert plot.line.startswith(f"M{WIDTH} ")
    assert plot.line.endswith("h0")
    assert plot.area == ""


@given(
    st.lists(st.floats(0, 1e9), min_size=2, max_size=200),
    st.floats(0, 1e9),
)
def test_whatever_was_measured_is_inside_the_box(values: list[float], limit: float) -> None:
    plot = plot_of(at(*values), limit)
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in places(plot.line))
    assert 0 <= plot.limit_y <= HEIGHT
