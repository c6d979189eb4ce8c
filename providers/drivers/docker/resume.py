"""Where a reader of a log stands, and how it finds that place again. Pure.

The engine's `since` finds the first frame, in file order, that is stamped at or after it
and delivers everything from there on, because stamps may go back. So frames are repeated,
and many may share one stamp: the engine cuts a long line into pieces that do.

A cursor therefore names an anchor: a frame stamped later than all before it, which is
exactly where `since` its stamp begins, with the number of frames read from there on. A
resumed reading skips that many, and checks the last 64 by fingerprint. When the engine
has rotated some of them away, the rest is looked for in what is left; when nothing of it
is there, output may be lost, and the reader says so.
"""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Mapping
from enum import Enum
from typing import Any

from providers.drivers.docker.frames import Piece
from providers.drivers.docker.lines import CODES

WINDOW = 64

Fingerprint = tuple[int, int, int, int]  # stamp in ns, stream, length, crc32


def fingerprint(piece: Piece) -> Fingerprint:
    """What tells a frame of the engine from its neighbours."""
    return (piece.at_ns, CODES[piece.stream], len(piece.data), zlib.crc32(piece.data))


class Position:
    """The frames read so far, as far as it takes to find the place again."""

    def __init__(self) -> None:
        self._window: deque[Fingerprint] = deque(maxlen=WINDOW)
        # Possible anchors, as (number, fingerprint): the last one before the window, and
        # those within it.
        self._anchors: deque[tuple[int, Fingerprint]] = deque()
        self._latest = -1
        self._read = 0

    @property
    def begun(self) -> bool:
        """True after the first frame."""
        return self._read > 0

    def add(self, print_: Fingerprint) -> None:
        """One more frame was read."""
        self._read += 1
        self._window.append(print_)
        anchors = self._anchors
        if print_[0] > self._latest:
            self._latest = print_[0]
            anchors.append((self._read, print_))
        if len(anchors) > 1 and anchors[1][0] <= self._read - WINDOW + 1:
            anchors.popleft()

    def cursor(self) -> dict[str, Any]:
        """The place after the last frame, as JSON. There must have been one."""
        number, anchor = self._anchors[0]
        return {
            "v": 1,
            "anchor": list(anchor),
            "read": self._read - number + 1,
            "window": [list(print_) for print_ in self._window],
        }


class Verdict(Enum):
    """What one frame of a resumed reading is."""

    BEFORE = "read before, or it may have been (while not `certain`)"
    PLACE = "the last frame that was read before: what follows is new"
    PASSED = "new, like all that came while not `certain`: the place was not there"


class Seeker:
    """Passes over what was already read, in a reading that was opened at `since`."""

    def __init__(self, cursor: Mapping[str, Any] | None) -> None:
        self.found = cursor is None
        self._anchor = _print(cursor["anchor"]) if cursor else None
        self._read = int(cursor["read"]) if cursor else 0
        self._window = [_print(item) for item in cursor["window"]] if cursor else []
        self._seen = 0
        self._recent: deque[Fingerprint] = deque(maxlen=WINDOW)
        self._expected: int | None = None

    @property
    def since(self) -> str:
        """The engine's `since` (seconds with nine decimals), empty for the beginning."""
        if self._anchor is None:
            return ""
        seconds, nanoseconds = divmod(self._anchor[0], 1_000_000_000)
        return f"{seconds}.{nanoseconds:09d}"

    @property
    def certain(self) -> bool:
        """Whether the engine's first frame told how many to skip; otherwise it is a search."""
        return self._expected is not None

    def take(self, print_: Fingerprint) -> Verdict:
        """Judge the next frame, while `found` is false."""
        self._seen += 1
        self._recent.append(print_)
        if self._seen == 1:
            self._expected = self._expect(print_)
        if self._expected is not None and self._seen < self._expected:
            return Verdict.BEFORE
        if self._at_window():
            self.found = True
            return Verdict.PLACE
        self._expected = None
        if self._seen >= self._read or print_[0] > self._last_stamp():
            self.found = True
            return Verdict.PASSED
        return Verdict.BEFORE

    def _expect(self, print_: Fingerprint) -> int | None:
        """How many frames to skip, judged by the first that the engine sent."""
        if print_ == self._anchor:
            return self._read
        if print_ in self._window:  # what lay before it was rotated away
            return len(self._window) - self._window.index(print_)
        return None

    def _at_window(self) -> bool:
        """Whether the frames up to here are the window, or as much as there can be of it."""
        wanted = min(len(self._window), self._expected or len(self._window))
        return list(self._recent)[-wanted:] == self._window[-wanted:]

    def _last_stamp(self) -> int:
        """No frame up to the place is stamped later: the anchor led all before the window."""
        assert self._anchor is not None
        return max(self._anchor[0], *(print_[0] for print_ in self._window))


def _print(item: Any) -> Fingerprint:
    stamp, stream, length, crc = (int(part) for part in item)
    return (stamp, stream, length, crc)
