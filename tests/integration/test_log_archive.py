"""The log archive: nothing lost, nothing doubled, whoever dies when."""

from __future__ import annotations

import errno
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from django.db import OperationalError, connection, transaction

from jobs.log import archive
from jobs.log.archive import Gap, archive_log, archived_chunks, stored_chunks
from jobs.log.frames import Chunk, unpack
from jobs.models import Attempt, LogChunk
from projects.models import InstanceSettings
from tests.support.attempts import make_attempt
from tests.support.log_rows import append, lines

ABOUT_A_BLOCK = 2**20 // 60  # lines of this file's width


@pytest.fixture
def storage(tmp_path: Path) -> FileSystemStorage:
    return FileSystemStorage(location=tmp_path / "archive")


@pytest.fixture
def ended(db: None) -> Attempt:
    return make_attempt(phase="ended")


@pytest.fixture
def running(db: None) -> Attempt:
    InstanceSettings.objects.get_or_create(pk=1)  # a flushed database has none
    return make_attempt(phase="running")


def text(chunks: Iterator[Chunk | Gap]) -> bytes:
    """The log's bytes; a gap stands as `<gap first-last>`."""
    out = []
    for item in chunks:
        if isinstance(item, Gap):
            out.append(b"<gap %d-%d>" % (item.first_seq, item.last_seq))
            continue
        for piece in unpack(
            codec=item.codec, body=item.body, crc32=item.crc32, first_line=item.first_line
        ):
            out.append(piece.frame.data)
    return b"".join(out)


def written(count: int) -> bytes:
    return b"".join(frame.data for frame in lines(1, count))


def fill(attempt: Attempt, count: int) -> bytes:
    append(attempt, lines(1, count))
    return written(count)


def test_an_ended_attempt_leaves_the_table_and_reads_the_same(
    ended: Attempt, storage: FileSystemStorage
) -> None:
    expected = fill(ended, 3 * ABOUT_A_BLOCK)
    moved = archive_log(ended.pk, storage=storage)
    ended.refresh_from_db()
    assert moved.blocks == len(ended.log_archive) >= 3
    assert not LogChunk.objects.filter(attempt=ended).exists()
    assert ended.log_archived_seq == ended.log_seq
    assert text(archived_chunks(ended, storage=storage)) == expected


def test_every_block_is_at_most_a_mebibyte_and_the_index_has_no_holes(
    ended: Attempt, storage: FileSystemStorage
) -> None:
    fill(ended, 3 * ABOUT_A_BLOCK)
    archive_log(ended.pk, storage=storage)
    ended.refresh_from_db()
    blocks = archive.blocks_after(ended)
    assert all(storage.size(block.path) == block.size <= 2**20 for block in blocks)
    assert [b.first_seq for b in blocks[1:]] == [b.last_seq + 1 for b in blocks[:-1]]
    assert [b.first_line for b in blocks[1:]] == [b.first_line + b.lines for b in blocks[:-1]]


def test_a_running_attempt_keeps_what_does_not_fill_a_block(
    running: Attempt, storage: FileSystemStorage
) -> None:
    expected = fill(running, 2 * ABOUT_A_BLOCK)
    archive_log(running.pk, storage=storage)
    running.refresh_from_db()
    rest = LogChunk.objects.filter(attempt=running)
    assert 0 < running.log_archived_seq < running.log_seq
    assert rest.count() == running.log_seq - running.log_archived_seq
    assert text(stored_chunks(running.pk, storage=storage)) == expected


def test_reading_goes_on_behind_any_chunk(ended: Attempt, storage: FileSystemStorage) -> None:
    fill(ended, 2 * ABOUT_A_BLOCK)
    whole = list(stored_chunks(ended.pk, storage=storage))
    archive_log(ended.pk, storage=storage)
    for after in (0, 1, len(whole) // 2, len(whole) - 1, len(whole)):
        rest = stored_chunks(ended.pk, after, storage=storage)
        assert text(rest) == text(iter(whole[after:]))


def test_a_second_run_changes_nothing(ended: Attempt, storage: FileSystemStorage) -> None:
    fill(ended, ABOUT_A_BLOCK)
    archive_log(ended.pk, storage=storage)
    ended.refresh_from_db()
    before = ended.log_archive
    assert archive_log(ended.pk, storage=storage).blocks == 0
    ended.refresh_from_db()
    assert ended.log_archive == before


def test_a_block_that_finds_no_room_leaves_nothing_behind_and_is_stored_when_there_is_some(
    ended: Attempt, storage: FileSystemStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = fill(ended, 200)

    def half(name: str, content: ContentFile[bytes]) -> str:
        path = Path(storage.path(name))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.read(100))
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(storage, "_save", half)
        for _ in range(2):
            with pytest.raises(OSError, match="No space left"):
                archive_log(ended.pk, storage=storage)
    assert text(stored_chunks(ended.pk, storage=storage)) == expected
    assert not [p for p in Path(storage.location).rglob("*") if p.is_file()]
    assert archive_log(ended.pk, storage=storage).blocks == 1
    assert text(stored_chunks(ended.pk, storage=storage)) == expected


def test_a_try_that_fails_takes_away_no_block_of_another_one(
    ended: Attempt, storage: FileSystemStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = fill(ended, 200)
    save = storage._save  # type: ignore[attr-defined]

    def overtaken(name: str, content: ContentFile[bytes]) -> str:
        monkeypatch.setattr(storage, "_save", save)
        assert archive_log(ended.pk, storage=storage).blocks == 1
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(storage, "_save", overtaken)
    with pytest.raises(OSError, match="No space left"):
        archive_log(ended.pk, storage=storage)
    assert text(stored_chunks(ended.pk, storage=storage)) == expected


def test_death_between_the_block_and_its_record_costs_nothing(
    ended: Attempt, storage: FileSystemStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = fill(ended, 200)

    def die(*_: object) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(archive, "_commit", die)
        with pytest.raises(KeyboardInterrupt):
            archive_log(ended.pk, storage=storage)
    assert text(stored_chunks(ended.pk, storage=storage)) == expected
    archive_log(ended.pk, storage=storage)
    ended.refresh_from_db()
    assert text(archived_chunks(ended, storage=storage)) == expected
    folder = Path(storage.path(archive.log_folder(ended.job_id, ended.number)))
    assert len(list(folder.iterdir())) == 1  # the block of the first try was used again


def test_a_half_written_block_of_an_earlier_try_is_not_believed(
    ended: Attempt, storage: FileSystemStorage
) -> None:
    expected = fill(ended, 200)
    (path,) = _paths_written_by_a_dry_run(ended, storage)
    Path(storage.path(path)).write_bytes(b"GTRB\x01half")
    archive_log(ended.pk, storage=storage)
    ended.refresh_from_db()
    assert text(archived_chunks(ended, storage=storage)) == expected


def _paths_written_by_a_dry_run(attempt: Attempt, storage: FileSystemStorage) -> list[str]:
    with transaction.atomic():
        archive_log(attempt.pk, storage=storage)
        paths = [block.path for block in archive.blocks_after(Attempt.objects.get(pk=attempt.pk))]
        transaction.set_rollback(True)
    return paths


@pytest.mark.parametrize("damage", ["missing", "flipped", "cut"])
def test_a_lost_block_is_a_gap_and_the_rest_is_read(
    ended: Attempt, storage: FileSystemStorage, damage: str
) -> None:
    fill(ended, 3 * ABOUT_A_BLOCK)
    whole = list(stored_chunks(ended.pk, storage=storage))
    archive_log(ended.pk, storage=storage)
    ended.refresh_from_db()
    block = archive.blocks_after(ended)[1]
    path = Path(storage.path(block.path))
    stored = path.read_bytes()
    path.unlink()
    if damage == "flipped":
        path.write_bytes(stored[:500] + bytes([stored[500] ^ 1]) + stored[501:])
    if damage == "cut":
        path.write_bytes(stored[:-1])
    seen = list(archived_chunks(ended, storage=storage))
    (gap,) = [item for item in seen if isinstance(item, Gap)]
    assert (gap.first_seq, gap.last_seq) == (block.first_seq, block.last_seq)
    assert ("missing" if damage == "missing" else "damaged") in gap.why
    assert len(seen) == len(whole) - block.chunks + 1


def test_a_storage_that_fails_leaves_the_log_in_the_table(ended: Attempt, tmp_path: Path) -> None:
    expected = fill(ended, 50)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match="file"):
        archive_log(ended.pk, storage=FileSystemStorage(location=tmp_path / "file"))
    assert text(stored_chunks(ended.pk)) == expected


def test_a_reader_sees_every_line_once_while_its_log_is_moved(
    running: Attempt, storage: FileSystemStorage
) -> None:
    expected = fill(running, 2 * ABOUT_A_BLOCK)
    reader = stored_chunks(running.pk, storage=storage)
    first = next(reader)
    Attempt.objects.filter(pk=running.pk).update(
        phase="ended", outcome="completed", ended_at="2026-01-01T00:00Z"
    )
    archive_log(running.pk, storage=storage)
    assert text(iter([first, *reader])) == expected


@pytest.mark.django_db(transaction=True)
def test_it_gives_way_to_a_log_writer_that_holds_the_row(storage: FileSystemStorage) -> None:
    attempt = make_attempt(phase="ended")
    expected = fill(attempt, 50)
    held, done = threading.Event(), threading.Event()

    def writer() -> None:
        with transaction.atomic():
            Attempt.objects.select_for_update().get(pk=attempt.pk)
            held.set()
            done.wait(10)
        connection.close()

    thread = threading.Thread(target=writer)
    thread.start()
    try:
        assert held.wait(10)
        with pytest.raises(OperationalError):
            archive_log(attempt.pk, storage=storage)
    finally:
        done.set()
        thread.join()
    archive_log(attempt.pk, storage=storage)
    assert text(stored_chunks(attempt.pk, storage=storage)) == expected


@pytest.mark.django_db(transaction=True)
def test_two_archivers_and_a_writer_at_once_neither_lose_nor_double(
    storage: FileSystemStorage,
) -> None:
    attempt = make_attempt(phase="running")
    finished = threading.Event()

    def archiver() -> None:
        while not finished.is_set():
            with suppress(OperationalError):  # it gave way to the writer: it comes again
                archive_log(attempt.pk, storage=storage)
        connection.close()

    archivers = [threading.Thread(target=archiver) for _ in range(2)]
    for thread in archivers:
        thread.start()
    try:
        for first in range(1, 60_001, 3000):
            append(attempt, lines(first, 3000, width=80))
    finally:
        finished.set()
        for thread in archivers:
            thread.join()
    expected = b"".join(
        f.data for first in range(1, 60_001, 3000) for f in lines(first, 3000, width=80)
    )
    attempt.refresh_from_db()
    assert attempt.log_archived_seq > 0
    assert text(stored_chunks(attempt.pk, storage=storage)) == expected
