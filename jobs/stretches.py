"""How far a search through the jobs goes at once, and when it has gone far enough. Pure.

A list is searched in the order of the ids, one stretch of them after the other. However the
database then finds what matches, a stretch bounds what it may have to look at. Stretches grow
while they are quick, and the search stops when the next one would take too long; the answer
says how far it came, and a cursor goes on from there.
"""

from __future__ import annotations

from dataclasses import dataclass

FIRST_SIZE = 16_384
LARGEST_SIZE = 65_536
GROWTH = 4


@dataclass(frozen=True, slots=True)
class Ids:
    """The ids from `low` to `high`, both among them; none where `low` is the greater."""

    low: int
    high: int

    def __bool__(self) -> bool:
        return self.low <= self.high

    def __len__(self) -> int:
        return max(0, self.high - self.low + 1)

    def within(self, low: int | None = None, high: int | None = None) -> Ids:
        """Those of them that are no less than `low` and no more than `high`."""
        return Ids(
            self.low if low is None else max(self.low, low),
            self.high if high is None else min(self.high, high),
        )

    def divided(self, size: int, *, upward: bool) -> tuple[Ids, Ids]:
        """The stretch of at most `size` ids that a search looks through first, and the rest."""
        if upward:
            end = min(self.high, self.low + size - 1)
            return Ids(self.low, end), Ids(end + 1, self.high)
        begin = max(self.low, self.high - size + 1)
        return Ids(begin, self.high), Ids(self.low, begin - 1)


ALL = Ids(1, 2**63 - 1)
NONE = Ids(1, 0)


def next_size(size: int, *, took: float, left: float) -> int:
    """How many ids the next stretch has, after one of `size` took so many seconds and so many
    are left to the search; 0: it stops here."""
    if took > left:
        return 0
    return min(size * GROWTH, LARGEST_SIZE) if took * GROWTH * 2 <= left else size
