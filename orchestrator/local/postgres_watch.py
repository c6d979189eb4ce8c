"""Keeping the embedded Postgres alive while `up` runs: one that died is started again."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

import psycopg

from orchestrator.local.postgres import EmbeddedPostgres, PostgresFailed
from orchestrator.local.prefixed_output import PrefixedOutput

LOOK_SECONDS = 1.0
PAUSES = (0.5, 1.0, 2.0, 5.0, 10.0)
"""Between tries to start it; what is left of the dead one takes a moment to go."""


class PostgresWatch:
    """Looks while the block runs. The other processes wait for the database by themselves."""

    def __init__(self, postgres: EmbeddedPostgres, output: PrefixedOutput) -> None:
        self._postgres = postgres
        self._output = output
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="postgres-watch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Looks no more: whoever ends Postgres now means it."""
        self._over.set()
        self._thread.join(10)

    def _watch(self) -> None:
        failures = 0
        while not self._over.wait(_pause(failures)):
            if self._postgres.running():
                failures = 0
                continue
            self._output.say("Postgres has ended by itself; starting it again.")
            try:
                self._postgres.start()
                self._output.say("Postgres is back.")
            except (PostgresFailed, psycopg.Error, OSError) as failure:
                failures += 1
                self._output.say(f"Postgres does not start: {failure}")


def _pause(failures: int) -> float:
    return PAUSES[min(failures, len(PAUSES)) - 1] if failures else LOOK_SECONDS
