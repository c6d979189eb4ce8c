"""Where a reader of a log stands, and how it finds that place again. Pure.

The engine repeats frames to whoever asks `since` a stamp, and stamps may go back: those of
two streams overtake each other by a moment, the pieces of a cut line all bear the stamp of
the first, and clocks are set. Engines before 23 drop every frame stamped before `since`;
later ones look for the first frame at or after it and then deliver everything.

A cursor therefore names an anchor: a frame stamped later than all before it, and not later
than any after it. From its stamp on both kinds of engine repeat the same frames, and how
many is known. It is chosen some time back, so that no frame is still to come that an old
engine would drop; where there is none, the log is read from its beginning. A resumed
reading skips the known number, and checks the last 64 frames by fingerprint. When the
engine has rotated some of them away, the rest is looked for in what is left; when nothing
of it is there, output may be lost, and the reader says so. Where only the last frame is
found, what went before it is not what was read (an engine's followed answer can have a
hole, or a frame twice): reading goes on after it, and says so too.

A cursor also names marks: younger anchors, of which each tells just so how far it is from
there. A flood writes more in a moment than the engine keeps, so that what a search begins
with is often gone; without marks all that comes before the place would have to be kept, in
case it is not there.
"""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from enum import Enum
from math import inf
from typing import Any

from providers.drivers.docker.frames import Piece
from providers.drivers.docker.lines import CODES

WINDOW = 64
# How long after its stamp a frame may still be written, overtaken by the other stream.
LATE_NS = 2_000_000_000
# Anchors need not be closer to each other than this.
SPACING_NS = 150_000_000
MARKS = 16

Fingerprint = tuple[int, int, int, int]  # stamp in ns, stream, length, crc32
Anchor = tuple[int, Fingerprint]  # the number of the frame, counted from 1 for the whole log


def fingerprint(piece: Piece) -> Fingerprint:
    """What tells a frame of the engine from its neighbours."""
    return (piece.at_ns, CODES[piece.stream], len(piece.data), zlib.crc32(piece.data))


def last_read(cursor: Mapping[str, Any] | None) -> Fingerprint | None:
    """The last frame before the place that a cursor names."""
    window = (cursor or {}).get("window")
    return _print(window[-1]) if window else None


class Position:
    """The frames read so far, as far as it takes to find the place again."""

    def __init__(self, cursor: Mapping[str, Any] | None = None) -> None:
        self._window: deque[Fingerprint] = deque(maxlen=WINDOW)
        self._since_cursor: deque[Piece] = deque(maxlen=WINDOW)
        """Not in the window yet: of a flood few frames have to be printed."""
        self._anchors: deque[Anchor] = deque()
        self._first: Fingerprint | None = None
        self._latest = -1
        self._read = 0
        self._after_gap = False
        if cursor:
            self._window.extend(map(_print, cursor["window"]))
            known = [*cursor["anchor"], *cursor.get("marks", ())]
            self._anchors.extend((number, _print(item)) for number, item in known)
            self._first = _print(cursor["first"])
            self._latest, self._read = cursor["latest"], cursor["read"]
            self._after_gap = cursor.get("after_gap", False)

    def add(self, piece: Piece) -> None:
        """One more frame was read."""
        stamp, anchors = piece.at_ns, self._anchors
        self._read += 1
        self._since_cursor.append(piece)
        if self._first is None:
            self._first = fingerprint(piece)
        if stamp > self._latest:
            self._latest = stamp
            if not anchors or stamp >= anchors[-1][1][0] + SPACING_NS:
                anchors.append((self._read, fingerprint(piece)))
        else:
            while anchors and anchors[-1][1][0] > stamp:
                anchors.pop()

    def after_gap(self) -> Position:
        """The place of a reader that goes on after a gap: what it counted is void."""
        anew = Position()
        anew._after_gap = True
        return anew

    def cursor(self, expected: Iterable[int] = ()) -> dict[str, Any]:
        """The place after the last frame, as JSON. There must have been one.

        `expected` are stamps that frames still to come may bear, being old.
        """
        self._window.extend(map(fingerprint, self._since_cursor))
        self._since_cursor.clear()
        safe = min(self._latest - LATE_NS, *expected, self._latest)
        anchors = self._anchors
        while len(anchors) > 1 and anchors[1][1][0] <= safe:
            anchors.popleft()
        usable = [anchor for anchor in [*anchors][:1] if anchor[1][0] <= safe]
        marks = [*anchors][len(usable) :]
        return {
            "v": 1,
            "read": self._read,
            "latest": self._latest,
            "first": self._first,
            "anchor": usable,
            "marks": marks[-MARKS:],
            "window": list(self._window),
            "after_gap": self._after_gap,
        }


class Verdict(Enum):
    """What one frame of a resumed reading is."""

    BEFORE = "read before, or it may have been (while not `certain`)"
    LAST = "like the last frame that was read before, though not where it should be"
    PLACE = "the last frame that was read before: what follows is new"
    MOVED = "the last frame that was read before, but what went before it is not as it was"
    PASSED = "new, like all since a LAST or while not `certain`: the place was not there"


class Seeker:
    """Passes over what was already read, in a reading that was opened at `since`."""

    def __init__(self, cursor: Mapping[str, Any]) -> None:
        number, first = next(iter(cursor["anchor"]), (1, cursor["first"]))
        self._first = _print(first)
        self._repeats: float = int(cursor["read"]) - int(number) + 1
        self._window = [_print(item) for item in cursor["window"]]
        self._latest = cursor["latest"]
        read = int(cursor["read"])
        self._after = {_print(mark): read - int(at) for at, mark in cursor.get("marks", ())}
        """How many frames were read after a mark."""
        self._seen = 0
        self._recent: deque[Fingerprint] = deque(maxlen=WINDOW)
        self._expected: int | None = None
        self._last_stamp = _stamp(self._window[-1][0])
        self._met_last = False
        self.since = _since(self._first[0]) if cursor["anchor"] else ""
        if cursor.get("after_gap") and not cursor["anchor"]:
            # What is before the gap was not counted, so it is not to be read again either.
            self.since = _since(max(0, self._first[0] - LATE_NS))
            self._repeats = inf
            self._after[self._first] = read - 1

    @property
    def certain(self) -> bool:
        """Whether the engine's first frame, or a mark, told how many to skip; otherwise it is
        a search."""
        return self._expected is not None

    def passes_over(self, payload: bytes) -> bool:
        """Whether the next frame, as the engine sent it, is certainly one that was read before,
        and not near the place nor like the last one. It is counted then, and not to be taken:
        of a flood millions are read again, and nine tenths of their cost is a fingerprint."""
        if (
            self._expected is None
            or self._met_last
            or self._seen >= self._expected - 2 * WINDOW
            or payload.startswith(self._last_stamp)
        ):
            return False
        self._seen += 1
        return True

    def take(self, print_: Fingerprint) -> Verdict:
        """Judge the next frame."""
        self._seen += 1
        self._recent.append(print_)
        if self._seen == 1:
            self._expected = self._expect(print_)
        if self._expected is None and print_ in self._after:
            self._expected = self._seen + self._after[print_]
        last = print_ == self._window[-1]
        self._met_last = self._met_last or last
        if self._expected is not None and self._seen < self._expected:
            return Verdict.LAST if last else Verdict.BEFORE
        if self._at_window():
            return Verdict.PLACE
        if self._expected is not None:
            self._expected, self._after = None, {}  # what was counted is not what is there
        # A hole in what was read before puts its last frame later than was counted.
        if self._seen >= self._repeats + WINDOW or print_[0] > self._latest:
            return Verdict.MOVED if last else Verdict.PASSED
        return Verdict.LAST if last else Verdict.BEFORE

    def _expect(self, print_: Fingerprint) -> int | None:
        """How many frames to skip, judged by the first that the engine sent."""
        if print_ == self._first and self._repeats < inf:
            return int(self._repeats)
        if print_ in self._window:  # what lay before it was rotated away
            return len(self._window) - self._window.index(print_)
        return None

    def _at_window(self) -> bool:
        """Whether the frames up to here are the window, or as much as there can be of it."""
        wanted = min(len(self._window), self._expected or len(self._window))
        return list(self._recent)[-wanted:] == self._window[-wanted:]


def _since(stamp: int) -> str:
    """The engine's `since`: seconds with nine decimals."""
    seconds, nanoseconds = divmod(stamp, 1_000_000_000)
    return f"{seconds}.{nanoseconds:09d}"


def _stamp(stamp: int) -> bytes:
    """As the engine begins the payload of a frame of that time."""
    seconds, nanoseconds = divmod(stamp, 1_000_000_000)
    whole = datetime.fromtimestamp(seconds, UTC)
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{nanoseconds:09d}Z".encode()


def _print(item: Any) -> Fingerprint:
    stamp, stream, length, crc = (int(part) for part in item)
    return (stamp, stream, length, crc)
