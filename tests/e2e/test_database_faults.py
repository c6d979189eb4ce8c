"""The database breaks off, goes away and comes back; or it has not been migrated yet."""

from __future__ import annotations

import os
import signal
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from django.contrib.auth.models import User
from django.db import connection
from psycopg import sql

from jobs.models import Attempt, Job
from projects.actor import Actor
from tests.support.browsers import Opens
from tests.support.databases import migrate, name_of, own_database
from tests.support.engine_process import EngineProcess, EngineWorld
from tests.support.sessions import sign_in
from tests.support.waiting import wait_until
from tests.support.web import WebProcess

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


Ask = Callable[[], int]


@pytest.fixture
def ask(web: WebProcess, actor: Actor) -> Ask:
    """The status of a page, of a web process that holds as many sessions as it may."""
    cookie = f"{web.cookie}={sign_in(User.objects.get(username=actor.name))}"
    request = urllib.request.Request(f"{web.url}/jobs", headers={"Cookie": cookie})

    def status() -> int:
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    with ThreadPoolExecutor(8) as together:
        assert {f.result() for f in [together.submit(status) for _ in range(40)]} == {200}
    assert len(sessions("gantry-web")) > 2
    return status


def sessions(name: str) -> set[int]:
    """Those of the processes of this name."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pid FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = %s",
            [name],
        )
        return {pid for (pid,) in cursor.fetchall()}


def web_listens() -> bool:
    """Whether web's own session was told to, which is the last that is done for it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name = 'gantry-relay' AND state = 'idle' AND query LIKE 'LISTEN%')"
        )
        return bool(cursor.fetchone()[0])


def end_sessions(name: str) -> None:
    """As the server does when it is restarted; all have ended then."""
    pids = sorted(sessions(name))
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pid, 5000) FROM unnest(%s) AS pid", [pids])


@pytest.mark.django_db(transaction=True)
def test_sessions_that_the_database_ended_refuse_one_page_in_all(ask: Ask) -> None:
    end_sessions("gantry-web")
    assert [ask() for _ in range(12)].count(503) <= 1


@pytest.mark.django_db(transaction=True)
def test_a_database_that_was_restarted_refuses_no_page_once_web_hears_of_it_again(
    ask: Ask, opens: Opens
) -> None:
    opens().new_page().goto("/jobs")
    wait_until(lambda: sessions("gantry-relay"), 20, "web listens")
    end_sessions("gantry-web")
    end_sessions("gantry-relay")  # a restart ends all before anybody comes back
    wait_until(web_listens, 20, "web listens again")
    assert [ask() for _ in range(12)] == [200] * 12


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
