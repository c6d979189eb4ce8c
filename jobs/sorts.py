"""In which order a list of jobs is shown: only such orders as an index has ready. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from jobs.filters import JobFilter
from jobs.query import Term
from jobs.states import JobState
from projects.errors import FieldProblem, Invalid


class Sort(StrEnum):
    """The words of the address; the order of this list is that of the menu."""

    NEWEST = "newest"
    OLDEST = "oldest"
    LONGEST_RUNNING = "longest-running"
    LONGEST_WAITING = "longest-waiting"
    QUEUE = "queue"

    @property
    def label(self) -> str:
        """For people."""
        return _LABELS[self]

    @property
    def state(self) -> JobState | None:
        """The one state whose jobs have this order; None: all have it."""
        return _OF_STATE.get(self)

    @property
    def upward(self) -> bool:
        """True where lower ids come first."""
        return self in (Sort.OLDEST, Sort.LONGEST_WAITING)

    @property
    def by_id(self) -> bool:
        """True where the order is that of submission, one way or the other."""
        return self in (Sort.NEWEST, Sort.OLDEST, Sort.LONGEST_WAITING)

    def fits(self, wanted: JobFilter) -> bool:
        """True when all that the filter lists has this order."""
        return self.state is None or wanted.states() == {self.state}

    def fitting(self, wanted: JobFilter) -> JobFilter:
        """The filter, narrowed to the jobs that have this order."""
        return wanted if self.state is None or self.fits(wanted) else wanted.of_state(self.state)

    def as_query(self) -> dict[str, list[str]]:
        """The query string's field that asks for this order; none for the usual one."""
        return {} if self is Sort.NEWEST else {"sort": [self.value]}


_LABELS = {
    Sort.NEWEST: "Newest first",
    Sort.OLDEST: "Oldest first",
    Sort.LONGEST_RUNNING: "Longest running",
    Sort.LONGEST_WAITING: "Longest waiting",
    Sort.QUEUE: "Next in the queue",
}
_OF_STATE = {
    Sort.LONGEST_RUNNING: JobState.RUNNING,
    Sort.LONGEST_WAITING: JobState.PENDING,
    Sort.QUEUE: JobState.PENDING,
}


def read_sort(given: Sequence[str]) -> Sort:
    """The order in a query string's `sort`. Raises Invalid."""
    if len(given) > 1:
        raise _wrong("Give it only once.")
    try:
        return Sort(given[0]) if given and given[0] else Sort.NEWEST
    except ValueError:
        raise _wrong(f"Use one of: {', '.join(Sort)}.") from None


def must_fit(sort: Sort, wanted: JobFilter) -> Sort:
    """The order, when the filter's jobs have it. Raises Invalid."""
    if sort.fits(wanted):
        return sort
    word = Term("state", str(sort.state))
    raise _wrong(f"“{sort}” is an order of {sort.state} jobs alone; add {word}.")


def _wrong(words: str) -> Invalid:
    return Invalid([FieldProblem("/sort", words)])
