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
from typing import Any

from providers.driver import LogFrame, Stream

WINDOW = 64
_CODES = {Stream.STDOUT: 1, Stream.STDERR: 2}
_BY_CODE = {code: stream for stream, code in _CODES.items()}

Fingerprint = tuple[int, int, int, int]  # stamp in ns, stream, length, crc32


def fingerprint(frame: LogFrame) -> Fingerprint:
    """What tells a frame from its neighbours."""
    return (frame.at_ns, _CODES[frame.stream], len(frame.data), zlib.crc32(frame.data))


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

    def cursor(self, open_streams: frozenset[Stream]) -> dict[str, Any]:
        """The place after the last frame, as JSON. There must have been one."""
        number, anchor = self._anchors[0]
        return {
            "v": 1,
            "anchor": list(anchor),
            "read": self._read - number + 1,
            "window": [list(print_) for print_ in self._window],
            "open": [_CODES[stream] for stream in Stream if stream in open_streams],
        }


_NEW: Mapping[str, Any] = {"window": (), "open": ()}


class Seeker:
    """Passes over what was already read, in a reading that was opened at `since`."""

    def __init__(self, cursor: Mapping[str, Any] | None) -> None:
        self.found = cursor is None
        self._anchor = _print(cursor["anchor"]) if cursor else None
        self._read = int(cursor["read"]) if cursor else 0
        self._window = [_print(item) for item in (cursor or _NEW)["window"]]
        self.open_streams = frozenset(_BY_CODE[code] for code in (cursor or _NEW)["open"])
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

    def lost(self, print_: Fingerprint) -> bool:
        """Take one frame while `found` is false.

        False: it was read before, or may have been; `found` turns true with the last such
        frame. True: the place was passed unseen, so this frame and all that came while not
        `certain` are new, and output before them may be lost; `found` is true then, too.
        """
        self._seen += 1
        self._recent.append(print_)
        if self._seen == 1:
            self._expected = self._expect(print_)
        if self._seen == self._expected or self._expected is None:
            self.found = self._at_window()
            if self.found:
                return False
            self._expected = None
            self.found = self._seen >= self._read or print_[0] > self._last_stamp()
            return self.found
        return False

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
