"""`python -m benchmarks.held_snapshot`: what somebody's long transaction costs the queue.

Two Gantries on one machine with scripted providers (docs/fake-driver.md). On the database of one
a transaction in REPEATABLE READ is open all the while, as a report's or a backup's: no version of
a row that is newer than it may be cleared away. In turn each is given a batch of jobs that end at
once; the other stands still meanwhile.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import psycopg
from psycopg import IsolationLevel

from benchmarks.intervals import estimate
from benchmarks.scripted import FAKE, Scripted
from tests.support.running import running_gantry

LEAST_RATIO = 0.9


@contextmanager
def held_snapshot(side: Scripted) -> Iterator[None]:
    """A transaction that sees the database as it is now, and stays open."""
    with psycopg.connect(side.gantry.database_url) as connection:
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        connection.execute("SELECT count(*) FROM jobs_job")
        connection.execute("SET idle_in_transaction_session_timeout = 0")
        yield
        connection.execute("SELECT 1")  # it has been there to the end


def main() -> int:
    """0 when the goal is met."""
    asked = _arguments()
    with ExitStack() as stack:
        free, held = (Scripted(stack.enter_context(running_gantry(FAKE))) for _ in range(2))
        for side in (free, held):
            side.batch(asked.batch)
        stack.enter_context(held_snapshot(held))
        begun = time.monotonic()
        ratios: list[float] = []
        for number in range(asked.rounds):
            rates: dict[Scripted, float] = {}
            for side in (free, held) if number % 2 else (held, free):
                with (held if side is free else free).standing_still():
                    side.wake_up()
                    rates[side] = side.batch(asked.batch)
            ratios.append(rates[held] / rates[free])
            print(f"  free {rates[free]:.0f}/s, held {rates[held]:.0f}/s", flush=True)
        open_for = time.monotonic() - begun
    ratio = estimate(ratios)
    print(f"a snapshot held for {open_for / 60:.1f} min, {asked.rounds} rounds of {asked.batch}")
    print(f"  jobs/s, held ÷ free   {ratio.value:.2f} [{ratio.low:.2f}, {ratio.high:.2f}]"
          f" (at least {LEAST_RATIO}); the last round {ratios[-1]:.2f}")  # fmt: skip
    return int(ratio.value < LEAST_RATIO)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.held_snapshot", description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--batch", type=int, default=2000, help="jobs of a round and side")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
