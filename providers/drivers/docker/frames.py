"""The engine's log format, byte by byte. Pure: bytes in, pieces of output out.

A log is a row of `[stream, 0, 0, 0, length as 4 bytes big endian]` + payload. With
`timestamps=1` every payload starts with a stamp of 30 characters and a space, also the
later pieces of a line that the engine cut at 16 KiB; those carry the stamp of the first.
"""

from __future__ import annotations

from calendar import timegm
from typing import NamedTuple

from providers.driver import Stream

HEADER_BYTES = 8
STAMP_BYTES = 31  # 2006-01-02T15:04:05.000000000Z and a space
SYSTEM_ERROR = 3
_STREAMS = {1: Stream.STDOUT, 2: Stream.STDERR}
# The engine cuts at 16 KiB; far more means that we are not reading frames at all.
_LONGEST = 4 * 1024 * 1024


class NotALog(ValueError):
    """These bytes are not the engine's log format."""


class FrameParser:
    """Cuts a byte stream into (stream id, payload), however the reads were split."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """The payloads completed by these bytes. Raises NotALog."""
        buffer = self._rest + data if self._rest else data
        found = []
        at, end = 0, len(buffer)
        while end - at >= HEADER_BYTES:
            stream = buffer[at]
            length = int.from_bytes(buffer[at + 4 : at + 8], "big")
            if stream > SYSTEM_ERROR or length > _LONGEST:
                raise NotALog(f"no frame starts with {buffer[at : at + 8]!r}")
            after = at + HEADER_BYTES + length
            if after > end:
                break
            found.append((stream, buffer[at + HEADER_BYTES : after]))
            at = after
        self._rest = buffer[at:]
        return found

    @property
    def unfinished(self) -> bool:
        """True while bytes of a frame are held back that never completed."""
        return bool(self._rest)


class Piece(NamedTuple):
    """One payload without its stamp, exactly as the engine sent it."""

    stream: Stream
    at_ns: int
    data: bytes


class PieceReader:
    """Takes the stamp off payloads."""

    def __init__(self) -> None:
        self._second = b""
        self._second_ns = 0

    def piece(self, stream_id: int, payload: bytes) -> Piece:
        """The payload of one frame. Raises NotALog when it bears no stamp."""
        stream = _STREAMS.get(stream_id)
        if stream is None or payload[30:31] != b" ":
            raise NotALog(f"stream {stream_id} with {payload[:40]!r}")
        return Piece(stream, self._nanoseconds(payload), payload[STAMP_BYTES:])

    def _nanoseconds(self, payload: bytes) -> int:
        second = payload[:19]
        try:
            if second != self._second:
                text = second.decode("ascii")
                numbers = (text[0:4], text[5:7], text[8:10], text[11:13], text[14:16], text[17:19])
                year, month, day, hour, minute, sec = map(int, numbers)
                self._second_ns = timegm((year, month, day, hour, minute, sec)) * 1_000_000_000
                self._second = second
            return self._second_ns + int(payload[20:29])
        except ValueError:
            raise NotALog(f"no stamp in {payload[:40]!r}") from None
