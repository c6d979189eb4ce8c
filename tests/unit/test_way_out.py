"""What would let a job start that waits for room: only what is so."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.way_out import MOST_LIVE, Live, ways_out
from providers.fit import Answer, Need, fit
from providers.models import Provider
from providers.selectors import ProviderUse

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Node:
    """A provider of 4 cores and 8 GiB with what runs on it."""

    live: tuple[Live, ...]
    slots: int | None = None

    @property
    def row(self) -> Provider:
        return Provider(
            pk=1, name="node-1", health="healthy", probed_at=NOW, slots=self.slots,
            found_cpu_millis=4000, found_memory_mb=8192,
        )  # fmt: skip

    def use(self, but: tuple[int, ...] = ()) -> ProviderUse:
        left = [one for one in self.live if one.job not in but]
        return ProviderUse(
            len(left), sum(one.cpu_millis for one in left), sum(one.memory_mb for one in left)
        )

    def ways(self, need: Need, lessened: Need | None = None) -> tuple[str, ...]:
        found = fit(need, self.row, self.use(), NOW)
        return ways_out([(self.row, found)], {1: self.live}, None, lessened)

    def says(self, need: Need, but: tuple[int, ...] = ()) -> Answer:
        return fit(need, self.row, self.use(but), NOW).answer


def running(*held: tuple[int, int]) -> tuple[Live, ...]:
    return tuple(Live(job, 1, cpu, memory, 0) for job, (cpu, memory) in enumerate(held, 1))


@pytest.mark.parametrize(
    ("held", "need"),
    [
        (((4000, 512),), Need(1000, 512)),  # it would ask for no CPU at all
        (((3995, 512),), Need(1000, 512)),
        (((1000, 8192),), Need(1000, 512)),
        (((1000, 8187),), Need(1000, 512)),
        (((1000, 10_240),), Need(1000, 512)),  # more is given out than there is
    ],
)
def test_less_is_no_way_out_where_nothing_would_be_left(
    held: tuple[tuple[int, int], ...], need: Need
) -> None:
    assert Node(running(*held)).ways(need, need) == ("Fits on node-1 when job 1 ends.",)


@given(
    st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 6000)), max_size=5),
    st.sampled_from([None, 0, 1, 2, 3]),
    st.builds(Need, st.integers(10, 4000), st.integers(6, 8192)),
)
def test_when_the_named_jobs_have_ended_it_fits(
    held: list[tuple[int, int]], slots: int | None, need: Need
) -> None:
    node = Node(running(*held), slots)
    for way in node.ways(need):
        named = way.partition(" when ")[2].replace(",", "").split()
        ending = tuple(int(word) for word in named if word.isdecimal())
        if "more" not in named:
            assert node.says(need, ending) is Answer.FITS


@given(
    st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 6000)), max_size=4),
    st.builds(Need, st.integers(10, 4000), st.integers(6, 8192)),
)
def test_with_so_much_less_it_starts(held: list[tuple[int, int]], need: Need) -> None:
    node = Node(running(*held))
    for way in node.ways(need, need):
        if way.startswith("Would start"):
            words = way.partition(" with ")[2].split()
            less = {"CPU": 0.0, "MiB": 0.0, "GiB": 0.0}
            for number, unit in pairwise(words):
                if unit in less:
                    less[unit] = float(number)
            cpu = need.cpu_millis - round(1000 * less["CPU"])
            memory = need.memory_mb - less["MiB"] - 1024 * less["GiB"]
            assert node.says(Need(cpu, int(memory))) is Answer.FITS
            assert cpu >= 10
            assert memory >= 6


def test_of_lowered_slots_as_many_have_to_end_as_are_too_many() -> None:
    node = Node(running(*[(100, 100)] * 5), slots=3)
    assert node.ways(Need(100, 100)) == ("Fits on node-1 when job 1, job 2 and job 3 end.",)


def test_without_any_slot_nothing_that_ends_makes_room() -> None:
    assert Node(running(*[(100, 100)] * 5), slots=0).ways(Need(100, 100)) == ()


def test_of_very_many_it_is_told_that_the_oldest_would_not_do() -> None:
    node = Node(running(*[(1, 1)] * (MOST_LIVE + 1)))
    need = Need(4000, 8192)
    found = fit(need, node.row, node.use(), NOW)
    assert ways_out([(node.row, found)], {1: node.live[:MOST_LIVE]}, None) == (
        f"Fits on node-1 when enough of its jobs have ended: the {MOST_LIVE} oldest would not do.",
    )


def test_those_that_it_keeps_apart_from_have_to_end_first_of_all() -> None:
    node = Node(running((1000, 512), (3000, 512), (0, 512)))
    found = replace(fit(Need(2000, 512), node.row, node.use(), NOW), answer=Answer.BESIDE)
    for jobs, words in (
        ((2,), "Fits on node-1 when job 2 ends."),
        ((3,), "Fits on node-1 when job 3 and job 2 end."),
        ((3, 1), "Fits on node-1 when job 1, job 3 and job 2 end."),
    ):
        said = replace(found, jobs=jobs)
        assert ways_out([(node.row, said)], {1: node.live}, None, Need(2000, 512)) == (words,)
    unseen = replace(found, jobs=(99,))
    assert ways_out([(node.row, unseen)], {1: node.live}, None) == ()
