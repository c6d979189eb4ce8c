"""Where a reader of a log stands, and how it finds that place again. Pure.

The engine's `since` finds the first frame, in file order, that is stamped at or after it
and delivers everything from there on: it can repeat frames, and many frames may share one
stamp (a long line is cut into pieces that do). So a cursor remembers the last 64 frames
by fingerprint, and how many frames the engine will repeat if asked from the smallest stamp
among them. A resumed reading skips exactly those, and checks them against the window. When
the engine rotated some of them away, the window is looked for in what is left; when it is
nowhere, output is lost, and the reader says so.
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
        # Frames stamped later than all before them, as (number, fingerprint). The first of
        # these at or after a stamp is where the engine's `since` that stamp begins.
        self._records: deque[tuple[int, Fingerprint]] = deque(maxlen=2 * WINDOW)
        self._read = 0

    @property
    def begun(self) -> bool:
        """True after the first frame."""
        return self._read > 0

    def add(self, print_: Fingerprint) -> None:
        """One more frame was read."""
        self._read += 1
        self._window.append(print_)
        if not self._records or print_[0] > self._records[-1][1][0]:
            self._records.append((self._read, print_))

    def cursor(self, open_streams: frozenset[Stream]) -> dict[str, Any]:
        """The place after the last frame, as JSON."""
        cursor: dict[str, Any] = {
            "v": 1,
            "window": [list(print_) for print_ in self._window],
            "open": [_CODES[stream] for stream in Stream if stream in open_streams],
        }
        since = min((print_[0] for print_ in self._window), default=0)
        # After a step back of the clock the record may be forgotten: then the window alone.
        if self._records and self._records[0][1][0] <= since:
            number, first = next(item for item in self._records if item[1][0] >= since)
            cursor["first"] = list(first)
            cursor["repeats"] = self._read - number + 1
        return cursor


class Seeker:
    """Skips what was already read, after a reading was opened at `since`."""

    def __init__(self, cursor: Mapping[str, Any]) -> None:
        window = [_print(item) for item in cursor["window"]]
        self._window = window
        self._first = _print(cursor["first"]) if "first" in cursor else None
        self._repeats = int(cursor.get("repeats", 0))
        self.open_streams = frozenset(_BY_CODE[code] for code in cursor["open"])
        self._latest = max((print_[0] for print_ in window), default=0)
        self._held: list[Fingerprint] = []
        self._expected: int | None = None
        self.found = not window

    @property
    def since(self) -> str:
        """The engine's `since` (seconds with nine decimals), empty for the beginning."""
        if not self._window:
            return ""
        stamp = min(print_[0] for print_ in self._window)
        return f"{stamp // 1_000_000_000}.{stamp % 1_000_000_000:09d}"

    @property
    def certain(self) -> bool:
        """Whether the engine's first frame told how many to skip: they are known, not searched."""
        return self._expected is not None

    def lost(self, print_: Fingerprint) -> bool:
        """Take one frame while `found` is false.

        False: it was read before, or may have been (`found` turns true with the last such
        frame). True: the place was passed unseen, so this and all frames that were not
        certain are new, and lost output lies before them; `found` is true then, too.
        """
        held = self._held
        held.append(print_)
        if len(held) == 1:
            self._expected = self._expect(print_)
        if self._expected is not None:
            if len(held) < self._expected:
                return False
            tail = self._window[-self._expected :]
            if held[-len(tail) :] == tail:
                self.found = True
                return False
            self._expected = None
        elif held[-len(self._window) :] == self._window:
            self.found = True
            return False
        longest = max(self._repeats, len(self._window))
        self.found = print_[0] > self._latest or len(held) >= longest
        return self.found

    def _expect(self, print_: Fingerprint) -> int | None:
        """How many frames to skip, judged by the first that the engine sent."""
        if print_ == self._first:
            return self._repeats
        if print_ in self._window:  # the window's own head was rotated away
            return len(self._window) - self._window.index(print_)
        return None


def _print(item: Any) -> Fingerprint:
    stamp, stream, length, crc = (int(part) for part in item)
    return (stamp, stream, length, crc)
