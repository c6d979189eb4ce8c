"""How often pages are told: seldom enough for Postgres, at once for what people wait for."""

from __future__ import annotations

PER_SECOND = 8.0
SAVED = 2.0
"""So many notices may go at once after a quiet time. With the eight of that second they are
ten, and ten more are the log writer's: an engine process sends at most twenty a second."""
APART_SECONDS = 0.1
RIDE_SECONDS = 0.05
"""So long news waits for a commit that takes it along, before it is told by itself."""


class Pace:
    """Counts one process's notices. Times are seconds on the caller's clock.

    A job's end is urgent: it is told at once while the count allows it. All else is told
    each tenth of a second, and leaves one notice for the next end.
    """

    def __init__(self) -> None:
        self._left = SAVED
        self._counted_at = self._told_at = float("-inf")

    def wait(self, now: float, *, urgent: bool) -> float:
        """Seconds until a notice may go; 0 when it may go now."""
        needed = 1.0 if urgent else 2.0
        for_count = (needed - self._saved(now)) / PER_SECOND
        apart = 0.0 if urgent else self._told_at + APART_SECONDS - now
        return max(0.0, for_count, apart)

    def told(self, now: float) -> None:
        """A notice has gone."""
        self._left = self._saved(now) - 1.0
        self._counted_at = self._told_at = now

    def _saved(self, now: float) -> float:
        return min(SAVED, self._left + (now - self._counted_at) * PER_SECOND)
