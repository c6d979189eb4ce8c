"""The embedded Postgres: our own initdb and pg_ctl around installed programs.

It listens on a unix socket only, in a folder that nobody else may enter, and asks for a
generated password all the same. Gantry connects as a role that owns its database and
is not a superuser. The server runs in a session of its own: Ctrl-C in the terminal
does not reach it, and the supervisor ends it last.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import time
from pathlib import Path
from typing import LiteralString
from urllib.parse import quote

import psycopg
from psycopg import sql

from orchestrator.local.accounts import postgres_account
from orchestrator.local.postgres_home import PostgresHome, settle

ROLE = DATABASE = "gantry"
SUPERUSER = "postgres"
START_SECONDS = 600  # a crash recovery on a slow disk is not a failure
STOP_SECONDS = 30

# Written anew at each start, so that a newer Gantry brings its newer settings.
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "60",
    "shared_buffers": "128MB",
    # Pages come from memory or a solid disk; dearer, a look at few live rows reads whole tables.
    "random_page_cost": "1.1",
    "work_mem": "4MB",
    "maintenance_work_mem": "64MB",
    # Each checkpoint makes the next change of a page log all of it: of few, a purge is written in
    # less time and holds up nobody's commits.
    "max_wal_size": "2GB",
    "max_worker_processes": "4",
    "max_parallel_workers_per_gather": "0",
    "autovacuum_max_workers": "2",
    "jit": "off",
    # Backups are dumps, so nothing reads the log of changes but recovery itself.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_logical_replication_workers": "0",
    # Nobody may hold row locks while idle for longer than any of our own pauses.
    "idle_in_transaction_session_timeout": "60s",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "logging_collector": "on",
    "log_directory": "log",
    "log_filename": "postgres-%a.log",
    "log_truncate_on_rotation": "on",
    "log_rotation_age": "1d",
    "log_rotation_size": "0",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] %a ",
}
NEWER_SETTINGS = {18: {"io_method": "sync"}}  # its worker processes cost memory while idle
FORGETFUL = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}


class PostgresFailed(RuntimeError):
    """A Postgres program failed; the message has its last words."""


class EmbeddedPostgres:
    """The Postgres of one data folder.

    `durable=False` is for tests only: it trades safety across a power cut for speed.
    """

    def __init__(self, data_dir: Path, *, durable: bool = True) -> None:
        self._data_dir = data_dir
        self._durable = durable
        self._account = postgres_account()
        self.home: PostgresHome = settle(data_dir, self._account)

    @property
    def url(self) -> str:
        """The address Gantry connects to, password included; the server may be down."""
        password = self._secret("postgres_password")
        return _url(ROLE, password, self.home.sockets, DATABASE)

    def start(self) -> str:
        """Make the database if there is none, start the server if it is down, and wait
        until it answers. Writes the address to `database_url` in the data folder, mode
        0600, and returns it. Raises PostgresFailed."""
        if not (self.home.cluster / "PG_VERSION").exists():
            self._initialise()
        if not self.running():
            self._launch()
        try:
            self._ensure_database()
        except psycopg.OperationalError:
            # It was dying when it was taken for running: once it is gone, another one.
            if not self._gone_within(STOP_SECONDS):
                raise
            self._launch()
            self._ensure_database()
        _write_secret(self._data_dir / "database_url", self.url)
        return self.url

    def _launch(self) -> None:
        self._forget_dead_server()
        self._write_settings()
        log = self.home.cluster / "start.log"
        log.unlink(missing_ok=True)
        wait = ["-w", "-t", str(START_SECONDS)]
        self._pg_ctl("-l", log, *wait, "start", timeout=START_SECONDS + 30)

    def _gone_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self.running():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True

    def stop(self) -> None:
        """End the server: its clients are cut off, what was committed is kept."""
        if not self.running():
            return
        try:
            self._pg_ctl(
                "-m", "fast", "-w", "-t", str(STOP_SECONDS), "stop", timeout=STOP_SECONDS + 10
            )
        except PostgresFailed:
            # Something hangs. An immediate stop is a crash, which recovery makes good.
            self._pg_ctl("-m", "immediate", "-w", "stop", timeout=STOP_SECONDS + 60)

    def running(self) -> bool:
        """Whether a server works on our cluster (it may still be starting)."""
        pid = self._recorded_pid()
        return pid is not None and _works_in(pid, self.home.cluster)

    def program(self, name: str) -> Path:
        """The path of one of Postgres' programs, such as pg_dump."""
        return self.home.programs / name

    def _initialise(self) -> None:
        """initdb into a folder beside, renamed when whole: a kill leaves no half a cluster."""
        making = self.home.cluster.with_name("postgres.part")
        if making.exists():
            self._account.run(["/bin/rm", "-rf", making], timeout=120)
        self._account.owned_folder(making)
        password_file = making.with_name("postgres-initdb-password")
        _write_secret(password_file, self._secret("postgres_superuser_password"))
        if not self._account.is_current:
            os.chown(password_file, self._account.uid, self._account.gid)
        argv: list[str | Path] = [self.program("initdb"), "-D", making, "-U", SUPERUSER]
        argv += ["--pwfile", password_file, "--auth=scram-sha-256", "--encoding=UTF8"]
        argv += ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        argv += ["--no-instructions", *([] if self._durable else ["--no-sync"])]
        try:
            done = self._account.run(argv, timeout=300)
        finally:
            password_file.unlink()
        if done.returncode != 0:
            raise PostgresFailed(f"initdb failed:\n{done.stdout}")
        with (making / "postgresql.conf").open("a") as file:
            file.write("include 'gantry.conf'\n")
        making.rename(self.home.cluster)

    def _write_settings(self) -> None:
        major = int((self.home.cluster / "PG_VERSION").read_text())
        settings = SETTINGS | NEWER_SETTINGS.get(major, {})
        settings |= {"unix_socket_directories": str(self.home.sockets)}
        settings |= {} if self._durable else FORGETFUL
        lines = [f"{name} = '{value}'\n" for name, value in settings.items()]
        path = self.home.cluster / "gantry.conf"
        path.write_text("# Written by Gantry at each start; edits are lost.\n" + "".join(lines))
        path.chmod(0o644)  # inside a 0700 folder: readable for the server, whoever wrote it

    def _ensure_database(self) -> None:
        """Make Gantry's role and database. Also after a first start that was cut short."""
        superuser = self._secret("postgres_superuser_password")
        url = _url(SUPERUSER, superuser, self.home.sockets, "postgres")
        with psycopg.connect(url, autocommit=True, connect_timeout=30) as connection:
            role = sql.Identifier(ROLE)
            if not _exists(connection, "SELECT 1 FROM pg_roles WHERE rolname = %s", ROLE):
                password = sql.Literal(self._secret("postgres_password"))
                make = sql.SQL("CREATE ROLE {} LOGIN CREATEDB PASSWORD {}")
                connection.execute(make.format(role, password))
            if not _exists(connection, "SELECT 1 FROM pg_database WHERE datname = %s", DATABASE):
                make = sql.SQL("CREATE DATABASE {} OWNER {}")
                connection.execute(make.format(sql.Identifier(DATABASE), role))

    def _forget_dead_server(self) -> None:
        """Remove the lock files of a server that was killed, once its last child is gone.

        Postgres judges them by process number alone, so it refuses to start when the number
        now belongs to somebody else, or to a corpse that nobody has collected.
        """
        deadline = time.monotonic() + STOP_SECONDS
        while left := _processes_in(self.home.cluster):
            if time.monotonic() > deadline:
                raise PostgresFailed(f"a killed server left processes that do not end: {left}")
            time.sleep(0.05)
        (self.home.cluster / "postmaster.pid").unlink(missing_ok=True)
        for leftover in self.home.sockets.glob(".s.PGSQL.*"):
            leftover.unlink()

    def _recorded_pid(self) -> int | None:
        try:
            return int((self.home.cluster / "postmaster.pid").read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return None

    def _pg_ctl(self, *words: str | Path, timeout: float) -> None:
        argv = [self.program("pg_ctl"), "-s", "-D", self.home.cluster, *words]
        try:
            done = self._account.run(argv, timeout=timeout)
        except subprocess.TimeoutExpired as error:
            raise PostgresFailed(f"pg_ctl {words[-1]} did not end in {timeout:g} s") from error
        if done.returncode != 0:
            raise PostgresFailed(f"pg_ctl {words[-1]} failed:\n{done.stdout}\n{self._last_words()}")

    def _last_words(self) -> str:
        """The end of what the server said most recently."""
        logs = [self.home.cluster / "start.log", *(self.home.cluster / "log").glob("*.log")]
        logs = sorted((log for log in logs if log.exists()), key=lambda log: log.stat().st_mtime)
        return "".join(log.read_text(errors="replace")[-2000:] for log in logs[-2:])

    def _secret(self, name: str) -> str:
        path = self._data_dir / name
        if not path.exists():
            _write_secret(path, secrets.token_hex(24))
        return path.read_text().strip()


def _url(user: str, password: str, sockets: Path, database: str) -> str:
    return f"postgresql://{user}:{password}@{quote(str(sockets), safe='')}/{database}"


def _exists(
    connection: psycopg.Connection[tuple[object, ...]], query: LiteralString, value: str
) -> bool:
    return connection.execute(query, [value]).fetchone() is not None


def _works_in(pid: int, folder: Path) -> bool:
    """Whether the process lives and has made `folder` its own, as a server's processes do."""
    try:
        return Path(f"/proc/{pid}/cwd").readlink() == folder.resolve()
    except OSError:  # gone, a corpse, or somebody else's
        return False


def _processes_in(folder: Path) -> list[int]:
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [pid for pid in pids if _works_in(pid, folder)]


def _write_secret(path: Path, value: str) -> None:
    """Replace the file at once with one that only its owner can read."""
    making = path.with_name(f"{path.name}.part")
    making.unlink(missing_ok=True)
    fd = os.open(making, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(fd, "w") as file:
        file.write(value + "\n")
    making.replace(path)
