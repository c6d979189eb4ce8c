"""The body of an HTTP answer as it comes off the socket. Pure: bytes in, bytes out.

Only a complete body proves that the engine had no more to say: an engine that dies ends
the connection just the same.
"""

from __future__ import annotations

from contextlib import suppress


class BadBody(ValueError):
    """The bytes are not the chunked encoding that the headers promised."""


class Body:
    """Undoes the chunked encoding, or counts to the promised length.

    Without either (not `delimited`) the end of the connection is the end of the body, and
    `complete` is true from the start.
    """

    def __init__(self, *, chunked: bool, length: int | None = None) -> None:
        self._chunked = chunked
        self._left = 0 if chunked else length
        self._head = b""  # of the next chunk, as far as it came
        self.delimited = chunked or length is not None
        self.complete = not chunked and not length

    def feed(self, data: bytes) -> bytes:
        """What these bytes carry. Raises BadBody."""
        if self._chunked:
            return self._unchunk(data)
        if self._left is not None:
            data = data[: self._left]
            self._left -= len(data)
            self.complete = self._left == 0
        return data

    def _unchunk(self, data: bytes) -> bytes:
        pieces: list[bytes] = []
        at = 0
        left = self._left or 0
        while at < len(data) and not self.complete:
            if left > 2:  # of the chunk; its last two bytes are a line end
                piece = data[at : at + left - 2]
                pieces.append(piece)
                at += len(piece)
                left -= len(piece)
            elif left:
                skipped = min(left, len(data) - at)
                at += skipped
                left -= skipped
            else:
                if not self._head:
                    at = _whole(data, at, pieces)
                end = data.find(b"\n", at)
                line = self._head + data[at : end if end >= 0 else len(data)]
                if len(line) > 100:
                    raise BadBody(f"no chunk starts with {line[:40]!r}")
                if end < 0:
                    self._head = line
                    break
                at = end + 1
                self._head = b""
                size = _size(line)
                self.complete = size == 0
                left = size + 2
        self._left = left
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _whole(data: bytes, at: int, pieces: list[bytes]) -> int:
    """Take the chunks from there on of which all has come, as of nearly all; returns where the
    first begins that is not as plain as that."""
    end = len(data)
    with suppress(ValueError):
        while (line_end := data.find(b"\n", at)) >= 0:
            size = int(data[at:line_end], 16)
            after = line_end + size + 3
            if size <= 0 or after > end:
                break
            pieces.append(data[line_end + 1 : after - 2])
            at = after
    return at


def _size(line: bytes) -> int:
    try:
        size = int(line.partition(b";")[0], 16)
    except ValueError:
        size = -1
    if size < 0:
        raise BadBody(f"no chunk starts with {line[:40]!r}")
    return size
