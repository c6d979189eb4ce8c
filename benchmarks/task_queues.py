"""Empty tasks through other queues on the same Postgres, with their history kept.

Each has a database of its own and two workers, one for each core; what is measured begins with
the first task that is done, so that the start of the workers does not count.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Self

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from tests.support.waiting import wait_until

MODULES = Path(__file__).resolve().parents[1] / ".venv" / "bench"
"""Where `make bench-full` puts what only measurements need."""


class TaskQueue:
    """A queue with its database, made for a `with` block. Its program, `python -m <module>
    <database url> prepare | submit <n> | work`, is what its own manual says."""

    name: str
    module: str
    done: str
    """Counts the tasks that are done."""

    def __init__(self, beside: str) -> None:
        self._beside = beside
        self._database = self.module.rpartition(".")[2]
        self._url = make_conninfo(beside, dbname=self._database)

    def __enter__(self) -> Self:
        self._manage("CREATE DATABASE {}")
        self._run("prepare")
        return self

    def __exit__(self, *_: object) -> None:
        self._manage("DROP DATABASE {} WITH (FORCE)")

    def rate(self, many: int) -> float:
        """Tasks per second."""
        before = self._done()
        self._run("submit", str(many))
        with self._working():
            wait_until(lambda: self._done() > before, 60, f"{self.name} works")
            first, begun = self._done(), perf_counter()
            wait_until(lambda: self._done() == before + many, 600, f"{self.name} is through")
            return (before + many - first) / (perf_counter() - begun)

    def _done(self) -> int:
        with psycopg.connect(self._url) as connection:
            row = connection.execute(self.done.encode()).fetchone()
        assert row is not None
        return int(row[0])

    def _manage(self, statement: str) -> None:
        with psycopg.connect(self._beside, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(sql.Identifier(self._database)))

    def _command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", self.module, self._url, *words]

    def _run(self, *words: str) -> None:
        subprocess.run(self._command(*words), env=_environment(), check=True)

    @contextmanager
    def _working(self) -> Iterator[None]:
        worker = subprocess.Popen(
            self._command("work"),
            env=_environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            yield
        finally:
            os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()


class DjangoQ(TaskQueue):
    """django-q2 with its ORM broker."""

    name = "django-q2"
    module = "benchmarks.queues.bench_django_q"
    done = "SELECT count(*) FROM django_q_task"


class Procrastinate(TaskQueue):
    """Procrastinate."""

    name = "Procrastinate"
    module = "benchmarks.queues.bench_procrastinate"
    done = "SELECT count(*) FROM procrastinate_jobs WHERE status = 'succeeded'"


def _environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(MODULES)}
