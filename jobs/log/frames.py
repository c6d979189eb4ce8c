"""The bytes of a log chunk: frames packed into a body, and back. Pure.

A body is frames one after the other, each a piece of **one** line:

    flags u8 · stamp u64 (ns since the epoch) · length u32 · [line u64] · bytes

    bit 0  the stream: 0 standard output, 1 standard error
    bit 1  this piece begins a line
    bit 2  this piece ends a line (its last byte is a newline)
    bit 3  `line` is there: the number of the line that this piece goes on with

A line gets its number, from 1, when its first piece arrives, whichever stream it came
on. A piece that goes on with a line (bit 1 clear) carries that line's number itself, so
that a chunk can be read without the ones before it.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from providers.driver import LogFrame, Stream

BODY_LIMIT = 64 * 1024
"""Most bytes of an unpacked body."""

RAW, ZLIB = 0, 1
_STDERR, _STARTS, _ENDS, _CONTINUES = 1, 2, 4, 8
_HEAD = struct.Struct("<BQI")
_LINE = struct.Struct("<Q")
_FULL_HEAD = _HEAD.size + _LINE.size
_PIECE_LIMIT = BODY_LIMIT - _FULL_HEAD
_WORTH_COMPRESSING = 64
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class CorruptChunk(ValueError):
    """The stored bytes are not what was packed; the text says in what way."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where an attempt's log stands: what the next chunk is counted from.

    `seq`, `lines` and the bytes per stream are the columns `log_seq`, `log_lines`, … of
    the attempt; `open_stdout` and `open_stderr` are the numbers of the unfinished line on
    that stream, 0 where there is none. After a restart `jobs.log.reading.position` finds it.
    """

    seq: int = 0
    lines: int = 0
    stdout_bytes: int = 0
    stderr_bytes: int = 0
    open_stdout: int = 0
    open_stderr: int = 0


@dataclass(frozen=True, slots=True)
class Chunk:
    """A packed stretch of log; the fields are LogChunk's columns."""

    seq: int
    first_line: int
    lines: int
    first_at: datetime
    last_at: datetime
    stdout_offset: int
    stderr_offset: int
    crc32: int
    codec: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Piece:
    """A frame with the number of the line it belongs to."""

    line: int
    frame: LogFrame


def pack(frames: Iterable[LogFrame], position: Position) -> tuple[list[Chunk], Position]:
    """The chunks for these frames, and the position after them.

    A frame that holds several lines, or that is too large for a body, is split; empty
    frames are dropped. A piece that goes on with a line nobody began begins one (what
    was before it is lost).
    """
    chunks: list[Chunk] = []
    body = _Body(position)
    for frame in frames:
        for piece in (frame,) if _is_single(frame) else _single_lines(frame):
            if body.size + len(piece.data) + _FULL_HEAD > BODY_LIMIT:
                chunks.append(body.chunk())
                body = _Body(body.position())
            body.add(piece)
    if body.size:
        chunks.append(body.chunk())
    return chunks, (body.position() if body.size else body.start)


def unpack(*, codec: int, body: bytes | memoryview, crc32: int, first_line: int) -> list[Piece]:
    """The pieces of a chunk, in order. Raises CorruptChunk."""
    plain = _plain(codec, body)
    if zlib.crc32(plain) != crc32:
        raise CorruptChunk("its checksum does not fit")
    pieces: list[Piece] = []
    next_line, offset, size = first_line, 0, len(plain)
    while offset < size:
        try:
            flags, at_ns, length = _HEAD.unpack_from(plain, offset)
            offset += _HEAD.size
            if flags & _CONTINUES:
                (line,) = _LINE.unpack_from(plain, offset)
                offset += _LINE.size
            else:
                line, next_line = next_line, next_line + 1
        except struct.error as error:
            raise CorruptChunk(f"it breaks off inside a frame's head: {error}") from None
        data = plain[offset : offset + length]
        if len(data) != length:
            raise CorruptChunk("it breaks off inside a frame")
        offset += length
        stream = Stream.STDERR if flags & _STDERR else Stream.STDOUT
        frame = LogFrame(stream, at_ns, data, bool(flags & _STARTS), bool(flags & _ENDS))
        pieces.append(Piece(line, frame))
    return pieces


def moment(at_ns: int) -> datetime:
    """A frame's stamp as a time in UTC, to the microsecond."""
    return _EPOCH + timedelta(microseconds=at_ns // 1000)


class _Body:
    """A body being filled."""

    def __init__(self, start: Position) -> None:
        self.start = start
        self.size = 0
        self._parts: list[bytes] = []
        self._lines = 0
        self._bytes = {Stream.STDOUT: 0, Stream.STDERR: 0}
        self._open = {Stream.STDOUT: start.open_stdout, Stream.STDERR: start.open_stderr}
        self._stamps: list[int] = []

    def add(self, piece: LogFrame) -> None:
        stream, at_ns, data, starts_line, ends_line = piece
        line = 0 if starts_line else self._open[stream]
        flags = _STDERR if stream is Stream.STDERR else 0
        if ends_line:
            flags |= _ENDS
        if line:
            head = _HEAD.pack(flags | _CONTINUES, at_ns, len(data)) + _LINE.pack(line)
        else:
            head = _HEAD.pack(flags | _STARTS, at_ns, len(data))
            self._lines += 1
            line = self.start.lines + self._lines
        self._open[stream] = 0 if ends_line else line
        self._bytes[stream] += len(data)
        self._stamps.append(at_ns)
        self._parts += (head, data)
        self.size += len(head) + len(data)

    def chunk(self) -> Chunk:
        plain = b"".join(self._parts)
        packed = zlib.compress(plain, 1) if len(plain) >= _WORTH_COMPRESSING else plain
        smaller = len(packed) < len(plain)
        return Chunk(
            seq=self.start.seq + 1,
            first_line=self.start.lines + 1,
            lines=self._lines,
            first_at=moment(min(self._stamps)),
            last_at=moment(max(self._stamps)),
            stdout_offset=self.start.stdout_bytes,
            stderr_offset=self.start.stderr_bytes,
            crc32=zlib.crc32(plain),
            codec=ZLIB if smaller else RAW,
            body=packed if smaller else plain,
        )

    def position(self) -> Position:
        return Position(
            seq=self.start.seq + 1,
            lines=self.start.lines + self._lines,
            stdout_bytes=self.start.stdout_bytes + self._bytes[Stream.STDOUT],
            stderr_bytes=self.start.stderr_bytes + self._bytes[Stream.STDERR],
            open_stdout=self._open[Stream.STDOUT],
            open_stderr=self._open[Stream.STDERR],
        )


def _is_single(frame: LogFrame) -> bool:
    """True when it is a piece of one line and fits a body, as nearly all do."""
    data = frame.data
    return (
        0 < len(data) <= _PIECE_LIMIT
        and data.find(b"\n", 0, -1) < 0
        and data.endswith(b"\n") == frame.ends_line
    )


def _single_lines(frame: LogFrame) -> Iterator[LogFrame]:
    """The frame cut at its newlines and at the largest size that fits a body."""
    data = frame.data
    starts, offset = frame.starts_line, 0
    while offset < len(data):
        newline = data.find(b"\n", offset, offset + _PIECE_LIMIT)
        end = newline + 1 if newline >= 0 else min(offset + _PIECE_LIMIT, len(data))
        ends = newline >= 0
        yield frame._replace(data=data[offset:end], starts_line=starts, ends_line=ends)
        starts, offset = ends, end


def _plain(codec: int, body: bytes | memoryview) -> bytes:
    if codec == RAW:
        return bytes(body)
    if codec != ZLIB:
        raise CorruptChunk(f"its codec {codec} is not known")
    inflate = zlib.decompressobj()
    try:
        plain = inflate.decompress(body, BODY_LIMIT + 1)
    except zlib.error as error:
        raise CorruptChunk(f"it cannot be decompressed: {error}") from None
    if len(plain) > BODY_LIMIT or not inflate.eof:
        raise CorruptChunk("it is longer than a body may be, or breaks off")
    return plain
