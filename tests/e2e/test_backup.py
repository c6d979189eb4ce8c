"""backup and restore, from one instance into another."""

from __future__ import annotations

import io
import json
import stat
import subprocess
import sys
import tarfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from tests.support.running import PROJECT, RunningGantry, running_gantry
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.docker, pytest.mark.usefixtures("docker_image")]

ARCHIVED = "logs/1/1/000001.block"
FEED = (
    "SELECT id, type FROM projects_event"
    " WHERE xid < pg_snapshot_xmin(pg_current_snapshot()) ORDER BY xid, id"
)


@pytest.fixture(scope="module")
def gantry() -> Iterator[RunningGantry]:
    """An instance with one held job and one archived file, running."""
    with running_gantry() as gantry:
        gantry.start()
        _count_on(gantry, 20_000)
        _submit(gantry, "kept over the backup")
        archived = gantry.data_dir / "archive" / ARCHIVED
        archived.parent.mkdir(parents=True)
        archived.write_bytes(b"\0log\xff")
        yield gantry


@pytest.fixture(scope="module")
def other() -> Iterator[RunningGantry]:
    """Another instance, with one job of its own, stopped."""
    with running_gantry() as other:
        other.start()
        _submit(other, "still here")
        other.stop()
        yield other


@pytest.fixture(scope="module")
def told(gantry: RunningGantry) -> list[tuple[object, ...]]:
    """What a reader of its feed had been told before the backup."""
    return gantry.ask(FEED)


@pytest.fixture(scope="module")
def backup(
    gantry: RunningGantry, told: list[object], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A backup of it, taken while it runs, after that."""
    path = tmp_path_factory.mktemp("backup") / "gantry.backup"
    gantry.manage("backup", str(path))
    return path


def _submit(gantry: RunningGantry, name: str) -> None:
    token = gantry.manage("token", "admin", "--name", "backup test").strip()
    body = {"name": name, "image": "gantry/hello:latest", "hold": True, "project": "default"}
    request = urllib.request.Request(
        f"{gantry.url}/api/v1/jobs",
        data=json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status in (200, 201)


def _count_on(gantry: RunningGantry, transactions: int) -> None:
    """As if its server had run for longer than the one into which the backup is restored."""
    loop = f"FOR n IN 1..{transactions} LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP"
    with psycopg.connect(gantry.database_url, autocommit=True) as connection:
        connection.execute(f"DO $$ BEGIN {loop}; END $$".encode())


def _refusal(gantry: RunningGantry, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "manage.py", *words],
        capture_output=True,
        text=True,
        cwd=PROJECT,
        env=gantry.environment,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stderr


def test_a_backup_is_for_its_owner_only_and_says_what_it_holds(backup: Path) -> None:
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    with tarfile.open(backup) as tar:
        names = tar.getnames()
        file = tar.extractfile("manifest.json")
        assert file is not None
        assert json.load(file)["format"] == 1
    assert names == ["manifest.json", "database.dump", "secret_key", f"archive/{ARCHIVED}"]


def test_a_backup_never_overwrites_a_file(gantry: RunningGantry, backup: Path) -> None:
    before = backup.read_bytes()
    assert "never overwrites" in _refusal(gantry, "backup", str(backup))
    assert backup.read_bytes() == before


def test_a_restore_is_refused_while_gantry_runs(gantry: RunningGantry, backup: Path) -> None:
    assert "Gantry already runs" in _refusal(gantry, "restore", str(backup), "--replace")
    assert "already runs" in _refusal(gantry, "new_instance_id")


def test_an_empty_instance_becomes_the_one_that_was_backed_up_and_its_feed_goes_on(
    gantry: RunningGantry, backup: Path, told: list[tuple[object, ...]]
) -> None:
    identity = gantry.ask("SELECT instance_id FROM projects_instancesettings")
    key = (gantry.data_dir / "secret_key").read_text()
    with running_gantry() as other:
        assert "Restored" in other.manage("restore", str(backup))
        other.start()
        assert other.ask("SELECT name, state FROM jobs_job") == [
            ("kept over the backup", "pending")
        ]
        assert other.ask("SELECT instance_id FROM projects_instancesettings") == identity
        assert (other.data_dir / "secret_key").read_text() == key
        assert (other.data_dir / "archive" / ARCHIVED).read_bytes() == b"\0log\xff"
        assert not (other.data_dir / "restoring").exists()
        _feed_goes_on(other, told)


def _feed_goes_on(restored: RunningGantry, told: list[tuple[object, ...]]) -> None:
    """It tells what was, and then what comes."""
    assert "job.submitted" in [kind for _, kind in told]
    feed = restored.ask(FEED)
    assert set(told) <= set(feed)
    _submit(restored, "after it")
    (newest,) = restored.ask(
        "SELECT max(id), 'job.submitted' FROM projects_event WHERE type = 'job.submitted'"
    )
    wait_until(lambda: newest in restored.ask(FEED), 10, "it is in the feed")
    assert restored.ask(FEED).index(newest) >= len(feed)


def test_a_broken_or_foreign_file_changes_nothing(
    other: RunningGantry, backup: Path, tmp_path: Path
) -> None:
    whole = backup.read_bytes()
    with tarfile.open(backup) as tar:
        dump = tar.getmember("database.dump")
    broken = {
        "cut": whole[: dump.offset_data + dump.size // 2],
        "text": b"this is no tar at all" * 100,
        "torn": whole[: dump.offset_data + 900] + bytes(200) + whole[dump.offset_data + 1100 :],
        "escape": _tar("archive/../../escaped"),
        "foreign": _tar("etc/passwd"),
    }
    key = (other.data_dir / "secret_key").read_text()
    for name, content in broken.items():
        path = tmp_path / name
        path.write_bytes(content)
        assert "not restored" in _refusal(other, "restore", str(path), "--replace"), name
    assert not (other.data_dir.parent / "escaped").exists()
    assert (other.data_dir / "secret_key").read_text() == key
    other.start()
    assert other.ask("SELECT name FROM jobs_job") == [("still here",)]
    other.stop()


def test_an_instance_with_jobs_is_replaced_only_when_told_so(
    other: RunningGantry, backup: Path
) -> None:
    assert "--replace deletes them" in _refusal(other, "restore", str(backup))
    other.manage("restore", str(backup), "--replace")
    # What the message asks for next is possible: the database is there, Gantry is down.
    assert UUID(other.manage("new_instance_id").strip())
    other.start()
    assert other.ask("SELECT name FROM jobs_job") == [("kept over the backup",)]


def test_another_key_in_the_environment_is_refused(backup: Path) -> None:
    with running_gantry({"GANTRY_SECRET_KEY": "another key " * 5}) as other:
        assert "unset GANTRY_SECRET_KEY" in _refusal(other, "restore", str(backup))


def _tar(name: str) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        entry = tarfile.TarInfo(name)
        entry.size = 3
        tar.addfile(entry, io.BytesIO(b"bad"))
    return content.getvalue()
