"""`python -m benchmarks.notices`: how often the engine tells, and what live pages cost it.

Scripted jobs go their whole way as fast as they can, now with pages that watch, now without, in
turn. Meanwhile a connection of our own hears every notice, and knows by its session who sent it:

- notices of the engine process in a second, the most in any second of any round.
- jobs a second with ten pages on the list of jobs ÷ without a page.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import threading
import time
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from benchmarks.baseline import compared, keep, worse
from benchmarks.intervals import estimate
from benchmarks.list_pages import ListPages
from benchmarks.scripted import FAKE, Scripted
from benchmarks.sockets import signed_in
from tests.support.running import RunningGantry, running_gantry
from tests.support.unwinding import unwind_on_sigterm

PAGES = 10
REGIONS = ("/_/jobs/rows?all", "/_/jobs/counts?all")
MOST_NOTICES, LEAST_RATIO = 20, 0.95
RATIO = "jobs/s, live pages on ÷ off"
CHANNELS = ("gantry_engine", "gantry_live")
HEAR_SECONDS = 0.2


class Notices:
    """The moments at which notices of the engine process arrived here."""

    def __init__(self, gantry: RunningGantry) -> None:
        self._gantry = gantry
        self._heard: list[tuple[float, int]] = []
        self._over = threading.Event()
        self._link = psycopg.connect(gantry.database_url, autocommit=True)
        for channel in CHANNELS:
            self._link.execute(f"LISTEN {channel}")
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        while not self._over.is_set():
            for notice in self._link.notifies(timeout=HEAR_SECONDS):
                self._heard.append((time.monotonic(), notice.pid))

    def taken(self) -> list[float]:
        """Those since the last call, in order."""
        sessions = self._gantry.ask(
            "SELECT pid FROM pg_stat_activity WHERE application_name LIKE '%orchestrate'"
        )
        engine = {int(str(pid)) for (pid,) in sessions}
        heard, self._heard = self._heard, []
        return [at for at, pid in heard if pid in engine]

    def close(self) -> None:
        """Hear no more."""
        self._over.set()
        self._thread.join()
        self._link.close()


def most_in_a_second(moments: list[float]) -> int:
    """The greatest number of them that lie within one second."""
    return max((n + 1 - bisect_left(moments, at - 1.0) for n, at in enumerate(moments)), default=0)


@contextmanager
def watched(gantry: RunningGantry, cookie: str, many: int) -> Iterator[ListPages]:
    """So many pages are open meanwhile, on an event loop of their own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    pages = ListPages(gantry, cookie, many, REGIONS)
    try:
        asyncio.run_coroutine_threadsafe(pages.__aenter__(), loop).result(60)
        yield pages
        asyncio.run_coroutine_threadsafe(pages.__aexit__(), loop).result(60)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def main() -> int:
    """0 when both goals are met and no kept ratio is worse."""
    asked = _arguments()
    unwind_on_sigterm()
    rates: dict[str, list[float]] = {"off": [], "on": []}
    most, fetches = 0, 0
    with running_gantry(FAKE) as gantry:
        side = Scripted(gantry)
        cookie = signed_in(gantry)
        side.batch(200)
        notices = Notices(gantry)
        try:
            for nth in range(asked.rounds):
                for name in ("off", "on") if nth % 2 else ("on", "off"):
                    with watched(gantry, cookie, PAGES if name == "on" else 0) as pages:
                        rates[name].append(side.batch(asked.batch))
                        fetches += len(pages.fetches)
                in_a_second = most_in_a_second(notices.taken())
                most = max(most, in_a_second)
                told = ", ".join(f"{name} {found[-1]:.0f}/s" for name, found in rates.items())
                print(f"  {told}; at most {in_a_second} notices in a second", flush=True)
        finally:
            notices.close()
    assert fetches, "the pages fetched what they were told of"
    ratio = estimate([on / off for off, on in zip(rates["off"], rates["on"], strict=True)])
    print(f"notices of the engine process in any second: {most} (at most {MOST_NOTICES})")
    print(f"jobs/s with {PAGES} pages ÷ without: {ratio.told()} (at least {LEAST_RATIO:g});"
          f" {estimate(rates['off']).told(0)} without, {fetches:,} fetches")  # fmt: skip
    found = {RATIO: ratio}
    lost = list(worse(found))
    print(*(lost or [f"Kept ratios: {len(compared(found))} compared, none is worse"]), sep="\n")
    if asked.keep:
        keep(found)
    return int(bool(lost) or most > MOST_NOTICES or ratio.value < LEAST_RATIO)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.notices", description=__doc__)
    parser.add_argument("--rounds", type=int, default=8, help="of both sides")
    parser.add_argument("--batch", type=int, default=2000, help="jobs a side and round")
    parser.add_argument("--keep", action="store_true", help="hold later runs against this one")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
