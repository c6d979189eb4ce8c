"""Following a log as it grows: for sockets and for `follow=1`.

A follower holds no database connection while it waits. The hub's bell makes it read at
once; where the bell was missed, a poll finds what is new. What several followers of one
attempt want at the same moment is read once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import lru_cache

from jobs.log.archive import Gap, blocks_after, chunk_of, gap_of, read_block
from jobs.log.blocks import Block, CorruptBlock
from jobs.log.frames import BODY_LIMIT, Chunk
from jobs.log.left_out import LeftOut
from jobs.log.reading import Stretch, opened
from jobs.models import Attempt, LogChunk
from projects.hub import hub
from projects.offload import in_database
from projects.prepared import PreparedQuery

POLL_SECONDS = 1.0
"""The guarantee, should the bell not ring."""
BATCH_BYTES = BODY_LIMIT
_PAGE = 8
# Compiled once: every open log reads both ten times a second.
_ATTEMPT = PreparedQuery(
    lambda ids: Attempt.objects.only(
        "phase",
        "log_seq",
        "log_lines",
        "log_stdout_bytes",
        "log_stderr_bytes",
        "log_archived_seq",
        "log_archive",
        "log_note",
        "log_left_out",
    ).filter(pk__any=ids)
)
_CHUNKS = PreparedQuery(
    lambda attempts, seqs: LogChunk.objects.filter(attempt__any=attempts, seq__any=seqs).order_by(
        "seq"
    )
)


@dataclass(frozen=True, slots=True)
class Reading:
    """What was stored after a seq: as much as one batch holds, and how things stand.

    `seq` is where to go on; `first_line` is the number of the next line. `lines_behind` and
    `bytes_behind` count from the reader to the end of the log. `over`: the attempt has
    ended and this reading reaches its last chunk.
    """

    items: tuple[Stretch | Gap, ...]
    seq: int
    last_seq: int
    first_line: int
    lines_behind: int
    bytes_behind: int
    over: bool


def read_after(attempt_id: int, after_seq: int, most_bytes: int = BATCH_BYTES) -> Reading:
    """The chunks after a seq, at least one if there is any, up to so many stored bytes.

    Raises Attempt.DoesNotExist when the job was deleted.
    """
    chunks: list[Chunk | Gap]
    while True:
        attempt = _standing(attempt_id)
        left_out = LeftOut.stored(attempt.log_left_out)
        if left_out and left_out.holds(after_seq + 1) and _has_any(attempt):
            chunks = [gap_of(left_out, after_seq)]
        elif after_seq < attempt.log_archived_seq:
            chunks = _archived(attempt, after_seq)
        elif after_seq < attempt.log_seq:
            rows = _stored(attempt_id, after_seq)
            chunks = [*rows]
            if not rows or rows[0].seq != after_seq + 1:
                if _moved(attempt):
                    continue  # archived, or its middle left out, between the two queries
                upto = rows[0].seq - 1 if rows else attempt.log_seq
                chunks = [Gap(after_seq + 1, upto, attempt.log_lines, 0, "it is not stored")]
        else:
            chunks = []
        return _reading(attempt, after_seq, chunks, most_bytes)


async def read_shared(attempt_id: int, after_seq: int) -> Reading:
    """`read_after` off the event loop; one query for all who ask the same right now."""
    key = (asyncio.get_running_loop(), attempt_id, after_seq)
    if (earlier := _under_way.get(key)) is not None:
        reading = await asyncio.shield(earlier)
        if reading.items or reading.over:
            return reading
        # It began before we were called, so it may have missed what we were called for.
    task = _under_way.get(key)
    if task is None:
        task = asyncio.ensure_future(in_database(read_after, attempt_id, after_seq))
        _under_way[key] = task
        task.add_done_callback(lambda _: _under_way.pop(key, None))
    return await asyncio.shield(task)


async def follow(
    attempt_id: int, job_id: int, after_seq: int = 0
) -> AsyncIterator[list[Stretch | Gap]]:
    """What is stored and what comes, until the attempt has ended and all of it was given.

    Yields an empty list about once a second while there is nothing new, so that its user
    can send a sign of life and notices a reader that went away.
    """
    bell = hub.watch_log(attempt_id, job_id)
    try:
        while True:
            reading = await read_shared(attempt_id, after_seq)
            after_seq = reading.seq
            if reading.items:
                yield list(reading.items)
            if reading.over:
                return
            if not reading.items:
                await bell.wait(POLL_SECONDS)
                yield []
    finally:
        hub.unwatch_log(attempt_id, job_id, bell)


_Key = tuple[asyncio.AbstractEventLoop, int, int]
_under_way: dict[_Key, asyncio.Future[Reading]] = {}


def _reading(
    attempt: Attempt, after_seq: int, chunks: list[Chunk | Gap], most_bytes: int
) -> Reading:
    first_line, size = attempt.log_lines + 1, 0
    if chunks:
        first = chunks[0]
        first_line = first.first_line
        if isinstance(first, Chunk):
            total = attempt.log_stdout_bytes + attempt.log_stderr_bytes
            size = total - first.stdout_offset - first.stderr_offset
    taken: list[Stretch | Gap] = []
    seq, room = after_seq, most_bytes
    for chunk in chunks:
        item = opened(chunk)
        room -= sum(len(p.frame.data) for p in item.pieces) if isinstance(item, Stretch) else 0
        if taken and room < 0:
            break
        taken.append(item)
        seq = item.last_seq if isinstance(item, Gap) else item.seq
    return Reading(
        items=tuple(taken),
        seq=seq,
        last_seq=attempt.log_seq,
        first_line=first_line,
        lines_behind=attempt.log_lines - first_line + 1,
        bytes_behind=size,
        over=attempt.phase == "ended" and seq >= attempt.log_seq,
    )


def _archived(attempt: Attempt, after_seq: int) -> list[Chunk | Gap]:
    blocks = blocks_after(attempt, after_seq)
    if not blocks:
        why = attempt.log_note or "it is no longer stored"
        return [Gap(after_seq + 1, attempt.log_archived_seq, 1, attempt.log_lines, why)]
    block = blocks[0]
    try:
        chunks = _block(block)
    except (OSError, CorruptBlock) as error:
        why = f"its archived block cannot be read: {error}"
        return [Gap(after_seq + 1, block.last_seq, block.first_line, block.lines, why)]
    return [chunk for chunk in chunks if chunk.seq > after_seq]


@lru_cache(maxsize=4)
def _block(block: Block) -> list[Chunk]:
    """A block is read in many batches; keep the last few (1 MiB each) unpacked."""
    return read_block(block)


def _standing(attempt_id: int) -> Attempt:
    for attempt in _ATTEMPT.fetch([attempt_id]):
        return attempt
    raise Attempt.DoesNotExist(f"no attempt {attempt_id}")


def _stored(attempt_id: int, after_seq: int) -> list[Chunk]:
    rows = _CHUNKS.fetch([attempt_id], range(after_seq + 1, after_seq + 1 + _PAGE))
    if not rows:  # those are not there: what comes after them
        later = LogChunk.objects.filter(attempt_id=attempt_id, seq__gt=after_seq).order_by("seq")
        rows = list(later[:_PAGE])
    found = [chunk_of(row) for row in rows]
    first = found[0].seq if found else 0
    # Up to the first hole only: what was left out there is told by the next reading.
    return [chunk for nth, chunk in enumerate(found) if chunk.seq == first + nth]


def _moved(attempt: Attempt) -> bool:
    now = Attempt.objects.only("log_archived_seq", "log_left_out").get(pk=attempt.pk)
    return (now.log_archived_seq, now.log_left_out) != (
        attempt.log_archived_seq,
        attempt.log_left_out,
    )


def _has_any(attempt: Attempt) -> bool:
    """Whether anything of it is stored still: retention says more than what was left out."""
    return bool(attempt.log_archive) or attempt.log_archived_seq < attempt.log_seq
