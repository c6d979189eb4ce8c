"""Whether a followed reading keeps up with the engine. Pure.

An engine that follows its own log file loses its place without a word when the file is
rotated twice before it has read on: the lines between are then missing in the middle of a
reading, though they may still be in its files. A plain reading opens all files at once, so
what it gives has no hole. A followed reading is therefore given up for a plain one when it
could have been passed: when it brings much, or brings old lines for some time.
"""

from __future__ import annotations

LAG_NS = 1_000_000_000
"""Lines that come this much later than others did are old."""
OLD_BYTES = 64 * 1024
"""So many bytes of old lines are no accident. Less than what lies in the buffers between
the engine and us when a reading was held up, for after those may come the hole."""


class Pace:
    """The pace of one log's readings. Stamps are the engine's, `now_ns` is our clock."""

    def __init__(self, file_bytes: int) -> None:
        """`file_bytes`: at what size the engine rotates."""
        self._most = file_bytes // 4
        self._least_delay: int | None = None
        self._followed = 0
        self._old = 0

    def begin(self) -> None:
        """A followed reading begins."""
        self._followed = self._old = 0

    def may_be_passed(self, size: int, stamp_ns: int, now_ns: int) -> bool:
        """Take in what a followed reading brought: its bytes, and the stamp of its last line."""
        delay = now_ns - stamp_ns
        # The least delay is the difference of the clocks, and the way here.
        if self._least_delay is None or delay < self._least_delay:
            self._least_delay = delay
        self._followed += size
        self._old = self._old + size if delay - self._least_delay > LAG_NS else 0
        return self._followed > self._most or self._old > OLD_BYTES

    def pours(self, size: int) -> bool:
        """Whether what a plain reading brought is so much that a followed one would be given up."""
        return size > self._most
