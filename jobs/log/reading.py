"""Reading an attempt's log, in the table or archived, in bounded memory.

Everything here is a generator over stored chunks: at most one archived block or one page
of the table is in memory, and no transaction is open between two values. A stretch that
is known to be missing, or whose bytes have rotted, comes as a `Gap`, never silently.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from jobs.log.archive import Gap, blocks_after, chunk_of, read_block, stored_chunks
from jobs.log.blocks import CorruptBlock
from jobs.log.frames import Chunk, CorruptChunk, Piece, Position, unpack
from jobs.log.seek import seq_before_line, seq_before_tail
from jobs.models import Attempt, LogChunk
from providers.driver import Stream

__all__ = ["Gap", "LogLine", "Stretch", "position", "raw_bytes", "read_lines", "tail_lines"]

TAIL_BYTES = 2 * 2**20
"""No tail begins further before the end."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """The pieces of one chunk."""

    seq: int
    pieces: list[Piece]


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line, or what one chunk holds of it: most lines begin and end in one chunk.

    `at_ns` is the engine's stamp of its first byte here; `data` has the newline where
    `ends`. Joining the `data` of a `number` gives the line, byte for byte. Reading goes on
    after `seq` once all lines of that seq were taken.
    """

    seq: int
    number: int
    stream: Stream
    at_ns: int
    data: bytes
    starts: bool
    ends: bool

    def text(self) -> str:
        """The line without its newline; what is not UTF-8 shows as U+FFFD."""
        return self.data.removesuffix(b"\n").decode("utf-8", "replace")


def opened(chunk: Chunk | Gap) -> Stretch | Gap:
    """An unpacked chunk; a Gap for one that is not what was stored."""
    if isinstance(chunk, Gap):
        return chunk
    try:
        pieces = unpack(
            codec=chunk.codec, body=chunk.body, crc32=chunk.crc32, first_line=chunk.first_line
        )
    except CorruptChunk as error:
        why = f"its stored bytes are damaged: {error}"
        return Gap(chunk.seq, chunk.seq, chunk.first_line, chunk.lines, why)
    return Stretch(chunk.seq, pieces)


def stretches(attempt_id: int, after_seq: int = 0) -> Iterator[Stretch | Gap]:
    """All chunks with a greater seq that are stored now, unpacked, in order."""
    for chunk in stored_chunks(attempt_id, after_seq):
        yield opened(chunk)


def read_lines(
    attempt_id: int, *, after_seq: int = 0, from_line: int = 1, stream: Stream | None = None
) -> Iterator[LogLine | Gap]:
    """Lines after a chunk's seq, or from a line's number on, of both streams or of one."""
    if from_line > 1:
        after_seq = max(after_seq, seq_before_line(attempt_id, from_line))
    for stretch in stretches(attempt_id, after_seq):
        if isinstance(stretch, Gap):
            yield stretch
            continue
        for line in lines_of(stretch):
            if line.number >= from_line and stream in (None, line.stream):
                yield line


def tail_lines(
    attempt_id: int, count: int, *, stream: Stream | None = None, most_bytes: int = TAIL_BYTES
) -> list[LogLine | Gap]:
    """The last lines, without reading what is before them.

    A line may be as long as a log, so none of the tail lies further before the end than
    `most_bytes`; where that leaves out some of the lines, a Gap comes first and says so.
    """
    total = Attempt.objects.values_list("log_lines", flat=True).get(pk=attempt_id)
    earliest = seq_before_tail(attempt_id, total, most_bytes)
    window = count
    while True:
        first = max(total - window + 1, 1)
        after = seq_before_line(attempt_id, first)
        kept: deque[LogLine | Gap] = deque()
        begun = 0
        for line in read_lines(
            attempt_id, after_seq=max(after, earliest), from_line=first, stream=stream
        ):
            kept.append(line)
            begun += isinstance(line, LogLine) and line.starts
            while begun > count:
                gone = kept.popleft()
                begun -= isinstance(gone, LogLine) and gone.starts
        if begun >= count:
            return list(kept)
        if after < earliest:
            return [_cut(first, total, after, earliest, kept, most_bytes), *kept]
        if first == 1:
            return list(kept)
        window *= 8  # one stream's lines may lie far apart


def raw_bytes(
    attempt_id: int, *, stream: Stream | None = None, after_seq: int = 0
) -> Iterator[bytes]:
    """The bytes as they were written, of one stream or of both as they arrived."""
    for stretch in stretches(attempt_id, after_seq):
        if isinstance(stretch, Gap):
            yield gap_note(stretch)
            continue
        yield b"".join(
            piece.frame.data for piece in stretch.pieces if stream in (None, piece.frame.stream)
        )


def gap_note(gap: Gap) -> bytes:
    """What a download says in the place of what is missing."""
    last = gap.first_line + gap.lines - 1
    return f"\n[Gantry: lines {gap.first_line} to {last} are missing: {gap.why}]\n".encode()


def lines_of(stretch: Stretch) -> Iterator[LogLine]:
    """A chunk's lines: neighbouring pieces of one line are joined."""
    same: list[Piece] = []
    for piece in stretch.pieces:
        if same and (piece.line != same[0].line or piece.frame.starts_line):
            yield _joined(stretch.seq, same)
            same = []
        same.append(piece)
    if same:
        yield _joined(stretch.seq, same)


def position(attempt_id: int) -> Position:
    """Where the log stands, for a writer that takes over: unfinished lines included."""
    attempt = Attempt.objects.only(
        "log_seq", "log_lines", "log_stdout_bytes", "log_stderr_bytes"
    ).get(pk=attempt_id)
    out, err = attempt.log_stdout_bytes, attempt.log_stderr_bytes
    return Position(
        seq=attempt.log_seq,
        lines=attempt.log_lines,
        stdout_bytes=out,
        stderr_bytes=err,
        open_stdout=_open_line(attempt_id, Stream.STDOUT, out),
        open_stderr=_open_line(attempt_id, Stream.STDERR, err),
    )


def _cut(
    first: int, total: int, after: int, earliest: int, kept: Iterable[LogLine | Gap], size: int
) -> Gap:
    """What is before the earliest bytes of a tail: the line they lie in counts as missing."""
    line = next((item for item in kept if isinstance(item, LogLine)), None)
    last = total if line is None else line.number - line.starts
    why = f"a tail has no more than the log's last {size // 1024:,} KiB"
    return Gap(after + 1, earliest, first, max(last - first + 1, 0), why)


def _joined(seq: int, pieces: list[Piece]) -> LogLine:
    first, last = pieces[0], pieces[-1].frame
    data = first.frame.data if len(pieces) == 1 else b"".join(p.frame.data for p in pieces)
    head = first.frame
    return LogLine(seq, first.line, head.stream, head.at_ns, data, head.starts_line, last.ends_line)


def _open_line(attempt_id: int, stream: Stream, size: int) -> int:
    """The number of the stream's unfinished line: told by the last chunk with its bytes. No
    other is opened, however much of the other stream came since: the loop waits for this."""
    if not size:
        return 0
    offset = f"{stream.value}_offset"
    rows = LogChunk.objects.filter(attempt_id=attempt_id, **{f"{offset}__lt": size})
    row = rows.order_by("-seq").first()
    chunk = chunk_of(row) if row else _archived_last(attempt_id, offset, size)
    stretch = opened(chunk) if chunk else None
    number = 0
    if isinstance(stretch, Stretch):
        for piece in stretch.pieces:
            if piece.frame.stream == stream:
                number = 0 if piece.frame.ends_line else piece.line
    return number


def _archived_last(attempt_id: int, offset: str, size: int) -> Chunk | None:
    """The last archived chunk with bytes of the stream; None when its block cannot be read."""
    attempt = Attempt.objects.only("log_archive").get(pk=attempt_id)
    for block in reversed(blocks_after(attempt)):
        if getattr(block, offset) < size:
            try:
                chunks = read_block(block)
            except (OSError, CorruptBlock):
                return None
            return next((c for c in reversed(chunks) if getattr(c, offset) < size), None)
    return None
