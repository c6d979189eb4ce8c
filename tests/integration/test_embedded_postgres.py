"""The embedded Postgres: real initdb, a real server, real kills."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from orchestrator.local.accounts import current_account, postgres_account
from orchestrator.local.postgres import EmbeddedPostgres
from orchestrator.local.postgres_binaries import copied_programs, installed_programs
from orchestrator.local.postgres_home import STATE_FOLDER
from orchestrator.local.processes import ProcessMark


@contextmanager
def _postgres(data_dir: Path) -> Iterator[EmbeddedPostgres]:
    """A server of the folder, not started, that leaves nothing behind."""
    postgres = EmbeddedPostgres(data_dir, durable=False)
    try:
        yield postgres
    finally:
        postgres.stop()
        for folder in {postgres.home.cluster, postgres.home.sockets}:
            shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A private data folder with a parent that everybody may pass through."""
    path = Path(tempfile.mkdtemp(prefix="gantry-pg-"))
    yield path
    shutil.rmtree(path)


def _ask(url: str, query: str) -> object:
    with psycopg.connect(url, connect_timeout=10) as connection:
        row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _server(postgres: EmbeddedPostgres) -> ProcessMark:
    pid = int((postgres.home.cluster / "postmaster.pid").read_text().split("\n")[0])
    mark = ProcessMark.of(pid)
    assert mark is not None, "the server lives"
    return mark


def test_it_starts_answers_and_keeps_rows_over_a_restart(folder: Path) -> None:
    with _postgres(folder) as postgres:
        url = postgres.start()
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE kept (value text)")
            connection.execute("INSERT INTO kept VALUES ('still here')")
        postgres.stop()
        assert not postgres.running()
        assert EmbeddedPostgres(folder, durable=False).start() == url
        assert _ask(url, "SELECT value FROM kept") == "still here"


def test_gantry_owns_its_database_but_is_no_superuser(folder: Path) -> None:
    with _postgres(folder) as postgres:
        url = postgres.start()
        assert _ask(url, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False
        assert _ask(url, "SELECT has_database_privilege(current_database(), 'CREATE')") is True


def test_it_forgets_nothing_when_the_power_is_cut_unless_it_is_a_test(folder: Path) -> None:
    postgres = EmbeddedPostgres(folder)
    with _postgres(folder):
        url = postgres.start()
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            assert _ask(url, f"SHOW {setting}") == "on"


def test_a_wrong_password_is_refused_even_on_this_machine(folder: Path) -> None:
    with _postgres(folder) as postgres:
        url = postgres.start()
        password = (folder / "postgres_password").read_text().strip()
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            _ask(url.replace(password, "guess"), "SELECT 1")
        assert _ask(url, "SHOW listen_addresses") == ""


def test_secrets_and_folders_are_for_their_owner_only(folder: Path) -> None:
    with _postgres(folder) as postgres:
        postgres.start()
        for name in ("database_url", "postgres_password", "postgres_superuser_password"):
            assert _mode(folder / name) == 0o600, name
        assert _mode(postgres.home.cluster) == 0o700
        assert _mode(postgres.home.sockets) == 0o700
        assert not list(folder.glob("*initdb*"))
        assert _mode(folder) & 0o027 == 0, "the data folder lets in at most its own account"


def test_it_starts_again_after_it_was_killed(folder: Path) -> None:
    with _postgres(folder) as postgres:
        url = postgres.start()
        os.kill(_server(postgres).pid, signal.SIGKILL)
        assert postgres.start() == url
        assert _ask(url, "SELECT 1") == 1


def test_a_lock_file_with_the_number_of_a_stranger_does_not_stop_it(folder: Path) -> None:
    with _postgres(folder) as postgres:
        url = postgres.start()
        postgres.stop()
        lock = postgres.home.cluster / "postmaster.pid"
        lock.write_text(f"{os.getpid()}\n{postgres.home.cluster}\n1\n5432\n")
        assert not postgres.running()
        assert postgres.start() == url


def test_a_first_start_that_was_cut_short_is_made_good(folder: Path) -> None:
    with _postgres(folder) as postgres:
        half = postgres.home.cluster.with_name("postgres.part")
        postgres_account().owned_folder(half)
        (half / "PG_VERSION").write_text("18\n")
        assert _ask(postgres.start(), "SELECT 1") == 1
        assert not half.exists()


def test_it_survives_the_end_of_the_terminal_session(folder: Path) -> None:
    with _postgres(folder) as postgres:
        postgres.start()
        pid = _server(postgres).pid
        assert os.getsid(pid) == pid
        assert os.getpgid(pid) != os.getpgid(0)


def test_a_long_path_gets_a_short_private_folder_for_its_socket(folder: Path) -> None:
    deep = folder / ("a-long-name" * 10)
    deep.mkdir()
    folder.chmod(0o755)
    with _postgres(deep) as postgres:
        url = postgres.start()
        assert not postgres.home.sockets.is_relative_to(folder)
        assert _mode(postgres.home.sockets) == 0o700
        assert EmbeddedPostgres(deep, durable=False).url == url, "the next start finds it again"
        assert _ask(url, "SELECT 1") == 1


def test_a_data_folder_below_a_private_parent_is_never_opened_up(folder: Path) -> None:
    """Only root's Postgres has an account of its own that can be shut out."""
    data_dir = folder / "private" / "data"
    data_dir.mkdir(parents=True, mode=0o700)
    folder.chmod(0o755)
    (folder / "private").chmod(0o700)
    with _postgres(data_dir) as postgres:
        assert _ask(postgres.start(), "SELECT 1") == 1
        assert _mode(folder / "private") == 0o700
        if postgres_account().is_current:
            assert postgres.home.cluster.is_relative_to(data_dir)
        else:
            assert postgres.home.cluster.is_relative_to(STATE_FOLDER)
            again = EmbeddedPostgres(data_dir, durable=False)
            assert again.home == postgres.home, "the pointer file remembers"
            postgres.stop()
            shutil.rmtree(postgres.home.cluster.parent)


def test_programs_that_its_account_cannot_reach_are_copied_with_what_they_load(
    folder: Path,
) -> None:
    copy = copied_programs(installed_programs(), folder)
    assert copy == copied_programs(installed_programs(), folder), "once per version"
    for program in ("postgres", "initdb", "pg_dump", "pg_restore"):
        done = current_account().run([copy / program, "--version"], timeout=30)
        assert done.returncode == 0, done.stdout
