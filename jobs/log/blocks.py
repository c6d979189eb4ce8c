"""The bytes of an archived block: chunks one after the other, compressed as one. Pure.

    magic "GTRB\\x01" · zlib( record · record · … )

    record: seq u64 · first_line u64 · lines u32 · first_at i64 · last_at i64 (µs since the
    epoch) · stdout_offset u64 · stderr_offset u64 · crc32 u32 · codec u8 · length u32 · body

Bodies are kept unpacked wherever their checksum fits, because one compression over a block
is smaller than one per chunk. A block holds at most BLOCK_BYTES before compression.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from jobs.log.frames import BODY_LIMIT, RAW, ZLIB, Chunk

BLOCK_BYTES = 2**20
"""Most bytes of a block before compression."""

_MAGIC = b"GTRB\x01"
_HEAD = struct.Struct("<QQIqqQQIBI")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class CorruptBlock(ValueError):
    """The stored bytes are not the block that was written; the text says in what way."""


@dataclass(frozen=True, slots=True)
class Block:
    """One entry of an attempt's archive index (`Attempt.log_archive`).

    `first_line` is the number of the first line that starts in it, offsets are bytes of
    that stream before it; `size` and `crc32` are those of the stored object. Times are
    ISO 8601 in UTC.
    """

    path: str
    first_seq: int
    last_seq: int
    chunks: int
    first_line: int
    lines: int
    first_at: str
    last_at: str
    stdout_offset: int
    stderr_offset: int
    size: int
    crc32: int

    @classmethod
    def stored(cls, entry: Mapping[str, Any]) -> Block:
        """The block of a stored index entry."""
        return cls(**entry)

    def entry(self) -> dict[str, Any]:
        """The JSON value for the index."""
        return asdict(self)


def plain(chunk: Chunk) -> Chunk:
    """The chunk with its body unpacked; as it is when it does not unpack to its checksum."""
    if chunk.codec != ZLIB:
        return chunk
    inflate = zlib.decompressobj()
    try:
        body = inflate.decompress(chunk.body, BODY_LIMIT + 1)
    except zlib.error:
        return chunk
    if not inflate.eof or zlib.crc32(body) != chunk.crc32:
        return chunk
    return replace(chunk, codec=RAW, body=body)


def record_size(chunk: Chunk) -> int:
    """How many bytes of a block this chunk takes up before compression."""
    return _HEAD.size + len(chunk.body)


def pack_block(chunks: Iterable[Chunk]) -> bytes:
    """The stored bytes of a block. The same chunks always give the same bytes."""
    deflate = zlib.compressobj(6)
    parts = [_MAGIC]
    for chunk in chunks:
        head = _HEAD.pack(
            chunk.seq,
            chunk.first_line,
            chunk.lines,
            (chunk.first_at - _EPOCH) // _MICROSECOND,
            (chunk.last_at - _EPOCH) // _MICROSECOND,
            chunk.stdout_offset,
            chunk.stderr_offset,
            chunk.crc32,
            chunk.codec,
            len(chunk.body),
        )
        parts += (deflate.compress(head), deflate.compress(chunk.body))
    parts.append(deflate.flush())
    return b"".join(parts)


def unpack_block(stored: bytes) -> list[Chunk]:
    """The chunks of a block, in order. Raises CorruptBlock."""
    if not stored.startswith(_MAGIC):
        raise CorruptBlock("it is not a block of a log")
    inflate = zlib.decompressobj()
    try:
        data = inflate.decompress(memoryview(stored)[len(_MAGIC) :], 2 * BLOCK_BYTES)
    except zlib.error as error:
        raise CorruptBlock(f"it cannot be decompressed: {error}") from None
    if not inflate.eof:
        raise CorruptBlock("it breaks off, or is longer than a block may be")
    chunks: list[Chunk] = []
    offset = 0
    while offset < len(data):
        if offset + _HEAD.size > len(data):
            raise CorruptBlock("it breaks off inside a record's head")
        seq, first_line, lines, first, last, out, err, crc32, codec, length = _HEAD.unpack_from(
            data, offset
        )
        offset += _HEAD.size
        body = data[offset : offset + length]
        if len(body) != length:
            raise CorruptBlock("it breaks off inside a record")
        offset += length
        chunks.append(
            Chunk(
                seq=seq,
                first_line=first_line,
                lines=lines,
                first_at=_EPOCH + timedelta(microseconds=first),
                last_at=_EPOCH + timedelta(microseconds=last),
                stdout_offset=out,
                stderr_offset=err,
                crc32=crc32,
                codec=codec,
                body=body,
            )
        )
    return chunks
