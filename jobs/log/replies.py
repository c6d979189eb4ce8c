"""A log as an HTTP answer: plain text byte for byte, or one JSON object per line."""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from jobs.log.follow import POLL_SECONDS, Reading, follow, read_after
from jobs.log.reading import Gap, LogLine, Stretch, gap_note, lines_of, tail_lines
from jobs.models import Job
from jobs.states import TERMINAL
from projects.hub import hub
from projects.offload import in_database
from providers.driver import Stream

RECHECK_SECONDS = 30.0
"""How often a reader that follows must still be allowed to."""
Item = Stretch | Gap | LogLine


@dataclass(frozen=True, slots=True)
class LogFormat:
    """How to write a log: which stream, as NDJSON or text, with the engine's stamps or not."""

    ndjson: bool = False
    stream: Stream | None = None
    timestamps: bool = False

    @property
    def content_type(self) -> str:
        """The media type; output is whatever the program wrote, so a browser must not guess."""
        return "application/x-ndjson" if self.ndjson else "text/plain; charset=utf-8"

    def write(self, items: Iterable[Item]) -> bytes:
        """The items as bytes of the answer."""
        return b"".join(self._one(item) for item in items)

    def _one(self, item: Item) -> bytes:
        if isinstance(item, Gap):
            return self._gap(item)
        if isinstance(item, Stretch) and not (self.ndjson or self.timestamps):
            frames = (piece.frame for piece in item.pieces)
            return b"".join(f.data for f in frames if self.stream in (None, f.stream))
        lines = [item] if isinstance(item, LogLine) else lines_of(item)
        wanted = (line for line in lines if self.stream in (None, line.stream))
        return b"".join(self._json(li) if self.ndjson else self._plain(li) for li in wanted)

    def _plain(self, line: LogLine) -> bytes:
        if not (self.timestamps and line.starts):
            return line.data
        return f"{stamp(line.at_ns)} ".encode() + line.data

    def _json(self, line: LogLine) -> bytes:
        value = {
            "seq": line.seq,
            "line": line.number,
            "time": stamp(line.at_ns),
            "stream": line.stream.value,
            "text": line.text(),
            "starts": line.starts,
            "ends": line.ends,
        }
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"

    def _gap(self, gap: Gap) -> bytes:
        if not self.ndjson:
            return gap_note(gap)
        value = {"gap": {"line": gap.first_line, "lines": gap.lines, "why": gap.why}}
        return json.dumps(value, ensure_ascii=False).encode() + b"\n"


def stamp(at_ns: int) -> str:
    """A moment in RFC 3339 with all nine digits, so that sorting it as text sorts the time."""
    seconds, rest = divmod(at_ns, 10**9)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"


def last_lines(attempt_id: int, count: int, form: LogFormat) -> tuple[Sequence[Item], int]:
    """The last lines, and the seq after which following them goes on."""
    lines = tail_lines(attempt_id, count, stream=form.stream) if count else []
    seqs = [item.seq if isinstance(item, LogLine) else item.last_seq for item in lines]
    return lines, max(seqs, default=0)


async def whole_log(
    attempt_id: int, first: Reading, upto_seq: int, form: LogFormat
) -> AsyncIterator[bytes]:
    """What was stored when the asking began, batch by batch; `first` is already read."""
    yield form.write(first.items)
    seq = first.seq
    while seq < upto_seq:
        reading = await in_database(read_after, attempt_id, seq)
        if not reading.items:
            return
        yield form.write(reading.items)
        seq = reading.seq


async def all_attempts(
    attempts: Sequence[tuple[int, int]], form: LogFormat
) -> AsyncIterator[bytes]:
    """The logs of several attempts (number, id), each under a line with its number."""
    for number, attempt_id in attempts:
        yield b"==> attempt %d <==\n" % number
        first = await in_database(read_after, attempt_id, 0)
        async for chunk in whole_log(attempt_id, first, first.last_seq, form):
            yield chunk


async def gzipped(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same as a .gz file."""
    gzip = zlib.compressobj(wbits=16 + zlib.MAX_WBITS)
    async for chunk in chunks:
        if packed := gzip.compress(chunk):
            yield packed
    yield gzip.flush()


@dataclass(frozen=True, slots=True)
class Following:
    """One reader that follows a job's log: from where, and whether it still may.

    Without `only_attempt` it goes on with the job's next attempt until the job has ended.
    `allowed` is asked off the event loop now and then.
    """

    job_id: int
    form: LogFormat
    allowed: Callable[[], bool]
    only_attempt: int | None = None
    before: Sequence[Item] = ()
    after_seq: int = 0

    async def chunks(self) -> AsyncIterator[bytes]:
        """The answer's bytes as they come. Holds no database connection while it waits."""
        if self.before:
            yield self.form.write(self.before)
        checked, number, after = time.monotonic(), self.only_attempt or 0, self.after_seq
        bell = hub.watch_log(0, self.job_id)
        try:
            while True:
                found = await in_database(_attempt_from, self.job_id, number, self.only_attempt)
                if found.attempt_id is not None:
                    async for items in follow(found.attempt_id, self.job_id, after):
                        if time.monotonic() - checked > RECHECK_SECONDS:
                            checked = time.monotonic()
                            if not await in_database(self.allowed):
                                return
                        if data := self.form.write(items):
                            yield data
                    number, after = found.number + 1, 0
                    if self.only_attempt is not None:
                        return
                elif found.over:
                    return
                else:
                    await bell.wait(POLL_SECONDS)
                    if time.monotonic() - checked > RECHECK_SECONDS:
                        checked = time.monotonic()
                        if not await in_database(self.allowed):
                            return
        finally:
            hub.unwatch_log(0, self.job_id, bell)


@dataclass(frozen=True, slots=True)
class _Found:
    """The attempt to follow next, if there is one; `over` when none will come."""

    attempt_id: int | None
    number: int
    over: bool


def _attempt_from(job_id: int, least: int, only: int | None) -> _Found:
    """The first attempt with at least this number (exactly it where only it is wanted)."""
    job = Job.objects.only("state", "attempt").filter(pk=job_id).first()
    if job is None:
        return _Found(None, 0, over=True)
    wanted = job.attempts.filter(number=only) if only else job.attempts.filter(number__gte=least)
    # A reader that has read nothing begins with the latest; then it misses none.
    attempt = wanted.order_by("number" if least else "-number").only("number", "job").first()
    if attempt is None:
        return _Found(None, 0, over=job.state in TERMINAL)
    return _Found(attempt.pk, attempt.number, over=False)
