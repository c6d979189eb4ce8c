"""A log that grows too long keeps its beginning and its end, byte for byte, and says what is
left out between, wherever it is read."""

from __future__ import annotations

import json

import pytest
from django.db import transaction

from jobs.log import trim as trimming
from jobs.log.archive import Gap, archive_log
from jobs.log.follow import read_after
from jobs.log.frames import Position, pack
from jobs.log.left_out import LeftOut
from jobs.log.reading import LogLine, raw_bytes, read_lines, tail_lines
from jobs.log.replies import LogFormat
from jobs.log.seek import seq_before_line
from jobs.log.store import Append
from jobs.log.trim import trim
from jobs.models import Attempt, LogChunk
from orchestrator.postgres_store import PostgresStore
from projects.models import InstanceSettings
from providers.leases import acquire, provider_lease
from tests.support import log_rows
from tests.support.attempts import make_attempt

pytestmark = pytest.mark.django_db

LIMIT = 400_000
BATCH = 100
WIDTH = 400
GROWN = 30
"""So many batches are more than three times the limit."""
LINES = GROWN * BATCH


@pytest.fixture(autouse=True)
def _limit() -> None:
    InstanceSettings.objects.update_or_create(pk=1, defaults={"log_limit_bytes": LIMIT})


def grown(batches: int) -> tuple[Attempt, bytes]:
    """A running attempt whose log grew by so many batches of lines, cut back as it grows."""
    made = make_attempt(phase="running")
    written = grow(made, range(batches), LIMIT)
    made.refresh_from_db()
    return made, written


def grow(made: Attempt, batches: range, limit: int) -> bytes:
    """Let a log grow by these batches of lines; what was written."""
    written = b""
    for n in batches:
        frames = log_rows.lines(1 + n * BATCH, BATCH, width=WIDTH)
        written += b"".join(frame.data for frame in frames)
        with transaction.atomic():
            log_rows.append(made, frames)
            trim(made.pk, limit)
    return written


def left_out(made: Attempt) -> LeftOut:
    made.refresh_from_db()
    found = LeftOut.stored(made.log_left_out)
    assert found is not None
    return found


def kept(made: Attempt, written: bytes) -> tuple[int, int]:
    """How much there is of its head and of its tail: both as written, and the truth between."""
    cut = left_out(made)
    note = (
        f"\n[Gantry: lines {cut.first_line} to {cut.next_line - 1} are missing: {cut.words}]\n"
    ).encode()
    head, tail = b"".join(raw_bytes(made.pk)).split(note)
    assert written.startswith(head)
    assert written.endswith(tail)
    assert len(head) + cut.size + len(tail) == len(written)
    assert cut.offset == len(head)
    assert cut.lines == written[len(head) : len(written) - len(tail)].count(b"\n")
    return len(head), len(tail)


def end(made: Attempt) -> None:
    Attempt.objects.filter(pk=made.pk).update(
        phase="ended", outcome="completed", ended_at="2026-01-01T00:00:00Z"
    )


def test_a_log_within_the_limit_is_whole() -> None:
    made, written = grown(8)
    assert made.log_left_out is None
    assert b"".join(raw_bytes(made.pk)) == written


@pytest.mark.parametrize("archived", [False, True])
def test_head_and_tail_are_byte_for_byte_what_was_written_and_the_middle_is_told(
    archived: bool,
) -> None:
    made, written = grown(GROWN)
    if archived:
        archive_log(made.pk)
        end(made)
        archive_log(made.pk)
        assert not LogChunk.objects.filter(attempt=made).exists()
    head, tail = kept(made, written)
    assert head >= LIMIT // 2
    assert LIMIT // 2 <= tail <= LIMIT // 2 + LIMIT // 8
    assert (made.log_complete, made.log_note) == (False, left_out(made).words)


@pytest.mark.parametrize("archived", [False, True])
def test_lines_keep_their_numbers_and_are_found_by_them(archived: bool) -> None:
    made, _ = grown(GROWN)
    if archived:
        end(made)
        archive_log(made.pk)
    cut = left_out(made)
    items = list(read_lines(made.pk))
    gaps = [item for item in items if isinstance(item, Gap)]
    numbers = [item.number for item in items if isinstance(item, LogLine)]
    assert [(gap.first_line, gap.lines) for gap in gaps] == [(cut.first_line, cut.lines)]
    assert numbers == [*range(1, cut.first_line), *range(cut.next_line, LINES + 1)]
    assert all(
        int(item.data.split()[0]) == item.number for item in items if isinstance(item, LogLine)
    )
    for wanted in (1, cut.first_line - 1, cut.next_line, LINES):
        found = next(iter(read_lines(made.pk, from_line=wanted)))
        assert isinstance(found, LogLine)
        assert found.number == wanted
    inside = cut.first_line + cut.lines // 2
    assert seq_before_line(made.pk, inside) <= cut.first_seq
    last = tail_lines(made.pk, 5)
    assert [item.number for item in last if isinstance(item, LogLine)] == [
        *range(LINES - 4, LINES + 1)
    ]


@pytest.mark.parametrize("archived", [False, True])
def test_a_reader_that_goes_on_batch_by_batch_meets_the_gap_once(archived: bool) -> None:
    made, _ = grown(GROWN)
    if archived:
        end(made)
        archive_log(made.pk)
    cut = left_out(made)
    seq, gaps, ndjson = 0, [], b""
    while (reading := read_after(made.pk, seq)).items:
        gaps += [item for item in reading.items if isinstance(item, Gap)]
        ndjson += LogFormat(ndjson=True).write(reading.items)
        assert reading.seq > seq
        seq = reading.seq
    assert seq == made.log_seq
    assert [(gap.first_seq, gap.last_seq) for gap in gaps] == [(cut.first_seq, cut.last_seq)]
    told = [json.loads(line)["gap"] for line in ndjson.splitlines() if b'"gap"' in line]
    assert told == [{"line": cut.first_line, "lines": cut.lines, "why": cut.words}]


def test_a_reader_that_stands_in_what_is_left_out_meanwhile_is_told_and_goes_on() -> None:
    made, _ = grown(GROWN)
    cut = left_out(made)
    reading = read_after(made.pk, cut.first_seq + 3)
    assert [type(item) for item in reading.items[:1]] == [Gap]
    assert reading.seq == cut.last_seq


def test_of_a_running_log_only_the_head_is_archived_and_the_table_stays_small() -> None:
    made, _ = grown(20)
    archive_log(made.pk)
    made.refresh_from_db()
    cut = left_out(made)
    assert made.log_archived_seq < cut.first_seq
    grow(made, range(20, 60), LIMIT)
    rows = LogChunk.objects.filter(attempt=made)
    size = sum(len(row.body) for row in rows)
    assert size < LIMIT + LIMIT // 8
    assert left_out(made).size > cut.size


@pytest.mark.parametrize("limit", [LIMIT // 8, LIMIT * 4], ids=["lowered", "raised"])
@pytest.mark.parametrize("heeded", [True, False], ids=["by-all", "by-the-archive"])
def test_a_limit_that_changes_while_a_log_grows_leaves_one_gap_and_that_is_true(
    limit: int, heeded: bool
) -> None:
    """The archive heeds it at once, an engine process within some seconds."""
    made = make_attempt(phase="running")
    before = LIMIT // 2
    written = grow(made, range(20), before)
    InstanceSettings.objects.update(log_limit_bytes=limit)
    archive_log(made.pk)
    kept(made, written)
    written += grow(made, range(20, 60), limit if heeded else before)
    archive_log(made.pk)
    kept(made, written)
    end(made)
    archive_log(made.pk)
    assert not LogChunk.objects.filter(attempt=made).exists()
    kept(made, written)


def test_a_running_engine_process_heeds_a_changed_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(trimming, "monotonic", lambda: clock[0])
    made = make_attempt(phase="running")
    (fence,) = acquire([provider_lease(made.provider_id)], "test", 60, ())
    store, position = PostgresStore("test", 60), Position()

    def write(batches: range) -> int:
        nonlocal position
        for n in batches:
            before = position
            chunks, position = pack(log_rows.lines(1 + n * BATCH, BATCH, width=WIDTH), before)
            append = Append(made.pk, fence, before, position, {"n": n}, tuple(chunks))
            assert store.append_logs([append]) == {made.pk}
        made.refresh_from_db()
        cut = LeftOut.stored(made.log_left_out)
        return position.stdout_bytes - (cut.size if cut else 0)

    assert write(range(8)) > LIMIT * 3 // 4, "not cut yet"
    InstanceSettings.objects.update(log_limit_bytes=LIMIT // 4)
    assert write(range(8, 9)) > LIMIT * 3 // 4
    clock[0] += trimming.HEED_SECONDS
    assert write(range(9, 20)) < LIMIT // 2
    InstanceSettings.objects.update(log_limit_bytes=LIMIT * 2)
    clock[0] += trimming.HEED_SECONDS
    assert write(range(20, 40)) > LIMIT


def test_a_running_logs_tail_stays_in_the_table_also_where_a_raised_limit_makes_it_a_head() -> None:
    """The tail moves on: what is archived of it could not be left out any more."""
    made = make_attempt(phase="running")
    before = LIMIT * 7
    written = grow(made, range(70), before)
    InstanceSettings.objects.update(log_limit_bytes=LIMIT * 64)
    archive_log(made.pk)
    written += grow(made, range(70, 110), before)
    kept(made, written)
    assert made.log_archived_seq < left_out(made).first_seq
