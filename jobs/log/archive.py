"""Moves logs from the table into Django's default storage, and reads them there.

A block is written first, under a name that no other try has, and made durable; then one
transaction records it in the attempt's index, advances `log_archived_seq` and deletes its
chunks. Whoever dies in between leaves an object that nothing points to (it goes with the
attempt's log), never a missing or a doubled line. Two of these at once are harmless: the
second finds that the index has moved, and stops.
"""

from __future__ import annotations

import os
import zlib
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

from django.core.files.base import ContentFile
from django.core.files.storage import Storage, default_storage
from django.db import connection, transaction

from jobs.log.blocks import (
    BLOCK_BYTES,
    Block,
    CorruptBlock,
    pack_block,
    plain,
    record_size,
    unpack_block,
)
from jobs.log.frames import Chunk
from jobs.log.left_out import LeftOut
from jobs.log.trim import head_bytes, log_limit
from jobs.models import Attempt, LogChunk

_PAGE = 128
_LOCK_WAIT = "500ms"  # below Postgres' deadlock_timeout, so that never the log writer is the victim


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch of log that is known to be missing: chunks `first_seq` to `last_seq`."""

    first_seq: int
    last_seq: int
    first_line: int
    lines: int
    why: str


@dataclass(frozen=True, slots=True)
class Moved:
    """What one call has archived; `size` is bytes in the storage."""

    blocks: int = 0
    chunks: int = 0
    size: int = 0

    def __add__(self, other: Moved) -> Moved:
        return Moved(self.blocks + other.blocks, self.chunks + other.chunks, self.size + other.size)


def log_folder(job_id: int, number: int) -> str:
    """The storage folder with all blocks of an attempt."""
    return f"logs/{job_id}/{number}"


def archive_log(attempt_id: int, *, storage: Storage = default_storage) -> Moved:
    """Archives an attempt's chunks block by block: all of them once it has ended, and only
    whole blocks of its head while it runs, for the tail moves on.

    Raises what the storage raises (nothing is lost then: the chunks are still in the
    table), and OperationalError when the attempt's row is held for longer than 500 ms.
    """
    moved = Moved()
    while True:
        attempt = Attempt.objects.only("job_id", "number", "phase", "log_archived_seq").get(
            pk=attempt_id
        )
        ended = attempt.phase == "ended"
        most = None if ended else head_bytes(log_limit())
        chunks, full = _next_chunks(attempt_id, attempt.log_archived_seq, most)
        if not chunks or not (full or ended):
            return moved
        block = _write(log_folder(attempt.job_id, attempt.number), chunks, storage)
        if not _commit(attempt_id, attempt.log_archived_seq, block):
            return moved
        moved += Moved(1, block.chunks, block.size)


def archived_chunks(
    attempt: Attempt, after_seq: int = 0, *, storage: Storage = default_storage
) -> Iterator[Chunk | Gap]:
    """The archived chunks with a greater seq, in order, one block in memory at a time.

    A block that is missing or damaged comes as one Gap, and so does a log that retention
    has deleted. What is not archived yet is in the table: see `stored_chunks`.
    """
    left_out = LeftOut.stored(attempt.log_left_out)
    for block in blocks_after(attempt, after_seq):
        if left_out and after_seq < left_out.last_seq < block.first_seq:
            yield gap_of(left_out, after_seq)
            after_seq = left_out.last_seq
        try:
            chunks = read_block(block, storage=storage)
        except (OSError, CorruptBlock) as error:
            first = max(block.first_seq, after_seq + 1)
            yield Gap(first, block.last_seq, block.first_line, block.lines, _why(error))
        else:
            yield from (chunk for chunk in chunks if chunk.seq > after_seq)
        after_seq = block.last_seq
    if left_out and left_out.holds(after_seq + 1) and attempt.log_archive:
        yield gap_of(left_out, after_seq)
        after_seq = left_out.last_seq
    if after_seq < attempt.log_archived_seq:
        why = attempt.log_note or "it was deleted"
        yield Gap(after_seq + 1, attempt.log_archived_seq, 1, attempt.log_lines, why)


def stored_chunks(
    attempt_id: int, after_seq: int = 0, *, storage: Storage = default_storage
) -> Iterator[Chunk | Gap]:
    """All stored chunks with a greater seq, archived or not, also while they are moved.

    Ends at what is stored now. Between two chunks no transaction is open.
    """
    looked_anew_at = -1
    while True:
        attempt = Attempt.objects.only(*_INDEX).get(pk=attempt_id)
        for item in archived_chunks(attempt, after_seq, storage=storage):
            after_seq = item.last_seq if isinstance(item, Gap) else item.seq
            yield item
        known = attempt.log_archived_seq
        left_out = LeftOut.stored(attempt.log_left_out)
        while True:
            page = list(
                LogChunk.objects.filter(attempt_id=attempt_id, seq__gt=after_seq)
                .order_by("seq")
                .select_related("attempt")
                .only(*_COLUMNS, "attempt__log_archived_seq")[:_PAGE]
            )
            # Rows and the archive's border come from one statement, hence one snapshot.
            now = page[0].attempt.log_archived_seq if page else _archived_seq(attempt_id)
            if now > known and now > after_seq:
                break
            if not page:
                return
            for row in page:
                if left_out and left_out.holds(after_seq + 1) and left_out.last_seq == row.seq - 1:
                    yield gap_of(left_out, after_seq)
                elif row.seq != after_seq + 1:
                    if looked_anew_at != after_seq:
                        looked_anew_at = after_seq
                        break  # its middle, or more of it, was left out since
                    yield Gap(after_seq + 1, row.seq - 1, row.first_line, 0, "it is not stored")
                after_seq = row.seq
                yield chunk_of(row)
            else:
                continue
            break


def blocks_after(attempt: Attempt, after_seq: int = 0) -> list[Block]:
    """The entries of the attempt's index that hold chunks with a greater seq, in order."""
    entries = attempt.log_archive
    start = bisect_right([entry["last_seq"] for entry in entries], after_seq)
    return [Block.stored(entry) for entry in entries[start:]]


def read_block(block: Block, *, storage: Storage = default_storage) -> list[Chunk]:
    """The chunks of one block. Raises OSError when it is not there, else CorruptBlock."""
    with storage.open(block.path, "rb") as file:
        stored = file.read(block.size + 1)
    if len(stored) != block.size or zlib.crc32(stored) != block.crc32:
        raise CorruptBlock("its checksum does not fit")
    return unpack_block(stored)


def gap_of(left_out: LeftOut, after_seq: int) -> Gap:
    """The place of what is left out, for a reader that stands there."""
    first = max(left_out.first_seq, after_seq + 1)
    return Gap(first, left_out.last_seq, left_out.first_line, left_out.lines, left_out.words)


_INDEX = ("log_archived_seq", "log_archive", "log_note", "log_lines", "log_left_out")
_COLUMNS = (
    "attempt_id",
    "seq",
    "first_line",
    "lines",
    "first_at",
    "last_at",
    "stdout_offset",
    "stderr_offset",
    "crc32",
    "codec",
    "body",
)


def _next_chunks(attempt_id: int, after_seq: int, head: int | None) -> tuple[list[Chunk], bool]:
    """The chunks of the next block, and whether nothing more fits into it. A block has no
    hole, and none that begins past the `head`, where there is one: nor past a hole, for what
    comes after the head is the tail, whatever the limit has become."""
    chunks: list[Chunk] = []
    size = 0
    while True:
        rows = list(
            LogChunk.objects.filter(attempt_id=attempt_id, seq__gt=after_seq)
            .order_by("seq")
            .only(*_COLUMNS)[:_PAGE]
        )
        if not rows:
            return chunks, False
        for row in rows:
            chunk = plain(chunk_of(row))
            size += record_size(chunk)
            hole = chunk.seq != after_seq + 1
            if head is not None and (hole or chunk.stdout_offset + chunk.stderr_offset >= head):
                return chunks, bool(chunks)
            if chunks and (size > BLOCK_BYTES or hole):
                return chunks, True
            chunks.append(chunk)
            after_seq = chunk.seq


def _write(folder: str, chunks: list[Chunk], storage: Storage) -> Block:
    stored = pack_block(chunks)
    crc32 = zlib.crc32(stored)
    first, last = chunks[0], chunks[-1]
    stem = f"{first.seq:08d}-{last.seq:08d}-{crc32:08x}"
    name = _left_before(storage, folder, stem, stored)
    if not name:
        # Nobody else's name: a try that fails may take its own away.
        name = _save(storage, f"{folder}/{stem}-{token_hex(4)}.blk", stored)
    _make_durable(storage, name)
    return Block(
        path=name,
        first_seq=first.seq,
        last_seq=last.seq,
        chunks=len(chunks),
        first_line=first.first_line,
        lines=sum(chunk.lines for chunk in chunks),
        first_at=min(chunk.first_at for chunk in chunks).isoformat(),
        last_at=max(chunk.last_at for chunk in chunks).isoformat(),
        stdout_offset=first.stdout_offset,
        stderr_offset=first.stderr_offset,
        size=len(stored),
        crc32=crc32,
    )


def _save(storage: Storage, name: str, stored: bytes) -> str:
    """Stores a block, and of one that has no room nothing: each try would take more of it."""
    try:
        return storage.save(name, ContentFile(stored))
    except OSError:
        with suppress(OSError):
            storage.delete(name)
        raise


def _left_before(storage: Storage, folder: str, stem: str, stored: bytes) -> str:
    """The name of this very block, where a try that ended before its commit left it."""
    try:
        _, files = storage.listdir(folder)
    except FileNotFoundError:
        return ""  # the first block of this log
    for file in files:
        name = f"{folder}/{file}"
        if file.startswith(stem) and _holds(storage, name, stored):
            return name
    return ""


def _holds(storage: Storage, name: str, stored: bytes) -> bool:
    try:
        with storage.open(name, "rb") as file:
            return bool(file.read(len(stored) + 1) == stored)
    except FileNotFoundError:
        return False  # another try failed, and has taken it away


def _make_durable(storage: Storage, name: str) -> None:
    """On a disk: the file and its folders' entries survive a power cut before the rows go."""
    try:
        path = Path(storage.path(name))
        root = Path(storage.path(""))
    except NotImplementedError:
        return  # an object store has stored it when it says so
    folders = [folder for folder in path.parents if folder == root or root in folder.parents]
    for each in (path, *folders):
        descriptor = os.open(each, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _commit(attempt_id: int, archived_seq: int, block: Block) -> bool:
    """Records a written block; False when somebody else has moved these chunks."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('lock_timeout', %s, true)", [_LOCK_WAIT])
        attempt = (
            Attempt.objects.select_for_update(no_key=True)
            .only("log_archived_seq", "log_archive")
            .get(pk=attempt_id)
        )
        if attempt.log_archived_seq != archived_seq:
            return False
        deleted, _ = LogChunk.objects.filter(
            attempt_id=attempt_id, seq__gte=block.first_seq, seq__lte=block.last_seq
        ).delete()
        if deleted != block.chunks:
            transaction.set_rollback(True)
            return False
        attempt.log_archive.append(block.entry())
        attempt.log_archived_seq = block.last_seq
        attempt.save(update_fields=["log_archive", "log_archived_seq"])
    return True


def _archived_seq(attempt_id: int) -> int:
    return Attempt.objects.values_list("log_archived_seq", flat=True).get(pk=attempt_id)


def chunk_of(row: LogChunk) -> Chunk:
    """The chunk that a row of the table holds."""
    return Chunk(
        seq=row.seq,
        first_line=row.first_line,
        lines=row.lines,
        first_at=row.first_at,
        last_at=row.last_at,
        stdout_offset=row.stdout_offset,
        stderr_offset=row.stderr_offset,
        crc32=row.crc32,
        codec=row.codec,
        body=bytes(row.body),
    )


def _why(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "its archived block is missing"
    if isinstance(error, CorruptBlock):
        return f"its archived block is damaged: {error}"
    return f"its archived block cannot be read: {error}"
