"""Postgres restarts, goes away, hangs, and takes commits whose replies nobody sees, while
jobs run. Nothing is lost, nothing is done twice, and what piled up is worked off."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote, urlsplit, urlunsplit

from django.db import InterfaceError, OperationalError, connection

from tests.chaos.campaign import Scenario, Trial, Verdict
from tests.chaos.oracle.asked import Kind
from tests.chaos.own_postgres import OwnPostgres, own_postgres
from tests.chaos.scenarios.takeovers import pause
from tests.chaos.stage import END_SECONDS, Stage, stage
from tests.support.fault_proxy import NONE, FaultProxy, Faults
from tests.support.waiting import wait_until

RESTARTS = 5
MINUTE = 60.0
LOST_REPLIES = 10
PORT_FILE = ".s.PGSQL.5432"

T = TypeVar("T")


def restart(trial: Trial, *, restarts: int = RESTARTS) -> Verdict:
    """pg_ctl -m immediate restart, again and again."""
    with own_postgres() as server, stage(trial.seed, server.url) as on:
        on.engine("engine").start()
        for _ in range(restarts):
            on.submit()
            spend(on, on.rng.uniform(0, 2))
            server.restart()
            connection.close()
        return finish(on, restarts=restarts)


def go_away(trial: Trial, *, seconds: float = 20.0) -> Verdict:
    """It is down for much longer than a lease: what runs goes on, and ends, unseen."""
    with own_postgres() as server, stage(trial.seed, server.url) as on:
        on.engine("engine").start()
        on.submit()
        spend(on, on.rng.uniform(0, 2))
        server.halt()
        try:
            pause(seconds)
        finally:
            server.start()
        return finish(on, outages=1)


def hang(trial: Trial, *, seconds: float = MINUTE) -> Verdict:
    """Its processes stand still for a minute, in the middle of whatever they did."""
    with own_postgres() as server, stage(trial.seed, server.url) as on:
        on.engine("engine").start()
        on.submit()
        spend(on, on.rng.uniform(0, 2))
        with server.hung():
            pause(seconds)
        return finish(on, hangs=1)


def lose_replies(trial: Trial, *, replies: int = LOST_REPLIES) -> Verdict:
    """The engine's commits get through, and the connection breaks before it is told."""
    with own_postgres() as server, stage(trial.seed, server.url) as on, proxy(server, on) as way:
        url = through(server.url, way)
        on.world.engine("engine", ttl=1, environment={"DATABASE_URL": url}).start()
        for _ in range(replies):
            on.submit(on.rng.choices(list(Kind), k=2))
            spend(on, on.rng.uniform(0, 0.5))
            cuts = way.cuts
            way.faults = Faults(drop_reply_to=b"COMMIT")
            wait_until(lambda cuts=cuts: way.cuts > cuts, 30, "a reply to a commit was lost")  # type: ignore[misc]
            way.faults = NONE
        return finish(on, **{"lost replies": way.cuts})


@contextmanager
def proxy(server: OwnPostgres, on: Stage) -> Iterator[FaultProxy]:
    """What stands between the engine process and the server."""
    folder = on.world.folder / "way"
    folder.mkdir()
    with FaultProxy(folder / PORT_FILE, Path(server.sockets) / PORT_FILE) as made:
        yield made


def through(url: str, way: FaultProxy) -> str:
    """The database's address by way of the proxy."""
    parts = urlsplit(url)
    assert isinstance(way.address, Path)
    login = parts.netloc.rpartition("@")[0]
    return urlunsplit(parts._replace(netloc=f"{login}@{quote(str(way.address.parent), safe='')}"))


def spend(on: Stage, seconds: float) -> None:
    """Let it work so long: the moment of a fault is chance, not a condition."""
    until = time.monotonic() + seconds

    def over() -> bool:
        patient(on.prod)
        return time.monotonic() >= until

    wait_until(over, seconds + 60, "the moment of the next fault")


def finish(on: Stage, **figures: float) -> Verdict:
    """Wait for the end of all jobs, from a fault's end on, and check."""
    begun = time.monotonic()
    with suppress(AssertionError):  # the checker says which
        wait_until(lambda: patient(on.over), END_SECONDS, "all jobs have ended")
    worked_off = round(time.monotonic() - begun, 1)
    return on.check(**figures, **{"longest backlog s": worked_off})


def patient(ask: Callable[[], T]) -> T | None:
    """The test's own question to the database; None while it is away."""
    try:
        return ask()
    except (OperationalError, InterfaceError):
        connection.close()
        return None


SCENARIOS = [
    Scenario("database.restart", "docker", 4, restart),
    Scenario("database.outage", "docker", 4, go_away),
    Scenario("database.hang", "docker", 4, hang),
    Scenario("database.lost-replies", "docker", 4, lose_replies),
]
