"""The database breaks off, goes away and comes back; or it has not been migrated yet."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from jobs.models import Attempt, Job
from tests.support.databases import migrate, name_of, own_database
from tests.support.engine_process import EngineProcess, EngineWorld
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.docker, pytest.mark.e2e]

LINES = 100
NUMBERED = f"i=1; while [ $i -le {LINES} ]; do echo line $i; i=$((i+1)); sleep 0.05; done"
OUT = b"".join(b"line %d\n" % n for n in range(1, LINES + 1))
TTL = 2


@pytest.fixture(scope="module")
def engine(world: EngineWorld) -> EngineProcess:
    world.provider()
    process = world.engine(ttl=TTL)
    process.start()
    return process


def break_connections(server: psycopg.Connection[tuple[object, ...]], database: str) -> int:
    """End all sessions of engine processes, as a restart of the server does."""
    ended = server.execute(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
        " WHERE datname = %s AND application_name = 'gantry-orchestrate'",
        [database],
    ).fetchone()
    assert ended is not None
    return int(str(ended[0]))


@contextmanager
def away(server_url: str, database: str) -> Iterator[None]:
    """The database takes no connection meanwhile."""
    allow = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
    with psycopg.connect(server_url, autocommit=True) as server:
        name = sql.Identifier(database)
        server.execute(allow.format(name, sql.SQL("false")))
        try:
            break_connections(server, database)
            yield
        finally:
            server.execute(allow.format(name, sql.SQL("true")))


def lines_stored(job: Job) -> int:
    return sum(Attempt.objects.filter(job=job).values_list("log_lines", flat=True))


def assert_whole(world: EngineWorld, jobs: list[Job]) -> None:
    for job in jobs:
        world.wait_for(job, "completed", 60)
        attempt = world.last_attempt(job)
        assert (attempt.number, attempt.log_complete) == (1, True)
        assert world.log(job) == OUT
        assert world.starts.once(attempt.uid)


def test_broken_connections_lose_nothing_and_are_opened_again(
    world: EngineWorld, engine: EngineProcess, database_url: str
) -> None:
    jobs = [world.submit(script=NUMBERED, resources={"cpu_cores": 0.3}) for _ in range(4)]
    with psycopg.connect(database_url, autocommit=True) as server:
        for at in (1, 20, 50):
            wait_until(
                lambda at=at: all(lines_stored(job) >= at for job in jobs),  # type: ignore[misc]
                40,
                f"{at} lines of each",
            )
            assert break_connections(server, name_of(world.database_url)) > 0
    assert_whole(world, jobs)
    assert engine.process.poll() is None
    assert world.connections() <= 6


def test_a_database_that_is_away_for_longer_than_the_leases_stops_no_program(
    world: EngineWorld, engine: EngineProcess, database_url: str
) -> None:
    """Nothing is started meanwhile, what runs goes on, and its log is whole afterwards."""
    jobs = [world.submit(script=NUMBERED, resources={"cpu_cores": 0.3}) for _ in range(3)]
    wait_until(lambda: all(lines_stored(job) >= 5 for job in jobs), 40, "5 lines of each")
    told = engine.output().count("could not be renewed in time")
    with away(database_url, name_of(world.database_url)):
        wait_until(
            lambda: engine.output().count("could not be renewed in time") >= told + 2,
            20,
            "both leases were given up",
        )
        later = world.submit("echo", "later")  # this session is still open
        assert world.state(later) == "pending"
    assert_whole(world, jobs)
    world.wait_for(later, "completed", 30)
    assert engine.process.poll() is None


def test_an_engine_process_waits_while_migrations_are_pending(
    database_url: str, tmp_path: Path
) -> None:
    with own_database(database_url) as url:
        process = EngineProcess("early", tmp_path, dict(os.environ) | {"DATABASE_URL": url})
        try:
            process.launch()
            wait_until(lambda: "migrations are pending" in process.output(), 30, "it waits")
            migrate(url)
            wait_until(lambda: "is ready" in process.output(), 30, "it works")
            assert process.process.poll() is None
            assert process.stop() == 0
        finally:
            process.destroy()


def test_an_engine_process_that_waits_for_migrations_ends_when_told(
    database_url: str, tmp_path: Path
) -> None:
    with own_database(database_url) as url:
        process = EngineProcess("early", tmp_path, dict(os.environ) | {"DATABASE_URL": url})
        try:
            process.launch()
            wait_until(lambda: "migrations are pending" in process.output(), 30, "it waits")
            process.signal(signal.SIGTERM)
            assert process.process.wait(5) in (0, -signal.SIGTERM, 128 + signal.SIGTERM)
        finally:
            process.destroy()
