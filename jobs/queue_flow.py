"""What came into the queue and what left it, from the events of the last hours."""

from __future__ import annotations

from datetime import UTC, datetime

from jobs.queue_pace import STRETCH, Stretch
from jobs.sql import fetch

HOURS = 3
MOST_MOVES = 50_000
"""Events counted at most; of a busier time fewer hours are told."""
_SIZE = int(STRETCH.total_seconds())


def flow(projects: list[int] | None, now: datetime) -> list[Stretch]:
    """The last hours of these projects (None: of all) in stretches of five minutes, the present
    one last. Of more than can be counted the oldest stretches are left out."""
    last = int(now.timestamp()) // _SIZE
    first = last - HOURS * 3600 // _SIZE + 1
    rows = fetch(
        "queue_flow",
        {"projects": projects, "since": _begun(first), "seconds": _SIZE, "most": MOST_MOVES},
    )
    numbers = {stretch: (arrived, started) for stretch, arrived, started in rows}
    if sum(map(sum, numbers.values())) >= MOST_MOVES:
        first = min(min(numbers) + 1, last)  # the oldest one was cut in two
    return [Stretch(_begun(n), *numbers.get(n, (0, 0))) for n in range(first, last + 1)]


def _begun(stretch: int) -> datetime:
    return datetime.fromtimestamp(stretch * _SIZE, tz=UTC)
