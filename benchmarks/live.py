"""`python -m benchmarks.live logs | changes | list`: what reaches browsers' sockets, and when.

- `logs`: 20 containers write 100 lines a second each; from the engine's stamp on a line to its
  arrival in a socket. Real containers, 4 sockets with 5 logs each.
- `changes`: 1,000 sockets of one web process watch 100 jobs, of which 100 a second change; from
  the commit of a change to its signal. The changes are written as the engine writes them: rows
  in a transaction, with a notice for each tenth of a second.
- `list`: 1,000 sockets watch one list that changes, and fetch it when they are told; how long
  after the last change the last of them is current, and how long a fetch takes.

The sockets are those of a second process, this one.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, suppress

import psycopg
from websockets.asyncio.client import ClientConnection

from benchmarks.intervals import percentile
from benchmarks.list_pages import ListPages
from benchmarks.orchestrated import Client
from benchmarks.scripted import FAKE, SMALL, Scripted
from benchmarks.sockets import open_sockets, say, signed_in
from orchestrator.local.image import SAMPLE
from tests.support.running import RunningGantry, running_gantry
from tests.support.waiting import wait_until

CONTAINERS, A_SOCKET, SECONDS = 20, 5, 30
CHATTY = "while :; do seq 10; sleep 0.1; done"
"""A hundred lines a second, ten at once: twenty containers cannot fork so many sleeps here."""
SOCKETS, JOBS, CHANGES_A_SECOND = 1000, 100, 100
NOTICES_A_SECOND = 10
MOST_LINE_P50, MOST_LINE_P99 = 150.0, 500.0
MOST_CHANGE_P95 = 250.0
MOST_CURRENT_SECONDS, MOST_FETCH_P95 = 25.0, 500.0


def main() -> int:
    """0 when the goals are met."""
    asked = _arguments()
    return {"logs": logs, "changes": changes, "list": one_list}[asked.what]()


def logs() -> int:
    """From an engine's stamp to a socket."""
    with running_gantry() as gantry:
        gantry.start()
        cookie = signed_in(gantry)
        client = Client(gantry.port, gantry.manage("token", "admin", "--name", "bench").strip())
        spec = {"name": "chatty", "image": SAMPLE, "script": CHATTY,
                "resources": {"cpu_cores": 0.1, "memory_mb": 32}}  # fmt: skip
        jobs = [int(client.call("POST", "/jobs", spec)["id"]) for _ in range(CONTAINERS)]
        running = "SELECT count(*) FROM jobs_job WHERE state = 'running'"
        wait_until(lambda: gantry.ask(running)[0][0] == CONTAINERS, 120, "all of them run")
        time.sleep(5)  # the engine is done with the starts
        lags = asyncio.run(_read_logs(gantry, cookie, jobs))
        for job in jobs:
            client.call("POST", f"/jobs/{job}/cancel")
        ended = "SELECT count(*) FROM jobs_attempt WHERE removed_at IS NULL"
        wait_until(lambda: gantry.ask(ended)[0][0] == 0, 120, "all are gone")
        client.close()
    p50, p99 = (percentile(share)(lags) for share in (0.5, 0.99))
    print(f"{CONTAINERS} containers of 100 lines/s, {len(lags):,} lines in sockets, ms")
    print(f"  p50 {p50:.0f} (at most {MOST_LINE_P50:g}), p99 {p99:.0f} (at most {MOST_LINE_P99:g})")
    return int(p50 > MOST_LINE_P50 or p99 > MOST_LINE_P99)


async def _read_logs(gantry: RunningGantry, cookie: str, jobs: Sequence[int]) -> list[float]:
    lags: list[float] = []
    begun = time.time() * 1000

    async def read(socket: ClientConnection, mine: Sequence[int]) -> None:
        for job in mine:
            await say(socket, op="log", job=job, attempt=1, after=0)
        async for text in socket:
            message = json.loads(text)
            now = time.time() * 1000
            if message["t"] == "log":
                place = {"job": message["job"], "attempt": 1, "n": message["n"]}
                await say(socket, op="ack", **place)
                lags.extend(now - at for _, _, at, _ in message["rows"] if at > begun)

    async with AsyncExitStack() as stack:
        sockets = await open_sockets(stack, gantry, cookie, len(jobs) // A_SOCKET)
        shares = [jobs[n :: len(sockets)] for n in range(len(sockets))]
        readers = [asyncio.create_task(read(*one)) for one in zip(sockets, shares, strict=True)]
        await asyncio.sleep(SECONDS)
        for reader in readers:
            reader.cancel()
    return lags


def changes() -> int:
    """From a commit to the sockets that watch the job."""
    with running_gantry(FAKE) as gantry:
        jobs, cookie = _held_jobs(gantry)
        lags, stale = asyncio.run(_watch_changes(gantry, cookie, jobs))
    p50, p95 = (percentile(share)(lags) for share in (0.5, 0.95))
    print(f"{SOCKETS:,} sockets, {JOBS} jobs, {CHANGES_A_SECOND} changes/s, ms")
    print(f"  p50 {p50:.0f}, p95 {p95:.0f} (at most {MOST_CHANGE_P95:g}) of {len(lags):,} signals")
    print(f"  sockets that do not know the last revision: {stale} (0)")
    return int(p95 > MOST_CHANGE_P95 or stale > 0)


async def _watch_changes(
    gantry: RunningGantry, cookie: str, jobs: Sequence[int]
) -> tuple[list[float], int]:
    committed: dict[tuple[int, int], float] = {}
    told: set[int] = set()
    known: list[dict[int, int]] = [{} for _ in range(SOCKETS)]
    lags: list[float] = []

    async def listen(nth: int, socket: ClientConnection) -> None:
        async for text in socket:
            now = time.perf_counter()
            message = json.loads(text)
            if message["t"] == "ping":
                await say(socket, op="pong")
            if message["t"] == "subscribed":
                told.add(nth)
            if message["t"] != "job":
                continue
            known[nth][message["id"]] = message["rev"]
            at = committed.get((message["id"], message["rev"]))
            if at is not None:
                lags.append(1000 * (now - at))

    async with AsyncExitStack() as stack:
        sockets = await open_sockets(stack, gantry, cookie, SOCKETS)
        listeners = [asyncio.create_task(listen(n, s)) for n, s in enumerate(sockets)]
        for nth, socket in enumerate(sockets):
            await say(socket, op="sub", topics=[f"job:{jobs[nth % JOBS]}"])
        await _until(lambda: len(told) == SOCKETS, 60, "each socket is told of its job")
        await _change(gantry, jobs, SECONDS, committed)
        last = {job: max(rev for j, rev in committed if j == job) for job in jobs}

        def stale() -> int:
            return sum(seen != {jobs[n % JOBS]: last[jobs[n % JOBS]]} for n, seen in
                       enumerate(known))  # fmt: skip

        with suppress(TimeoutError):
            await _until(lambda: stale() == 0, 30, "all know the last revision")
        found = stale()
        for listener in listeners:
            listener.cancel()
    return lags, found


async def _change(
    gantry: RunningGantry,
    jobs: Sequence[int],
    seconds: float,
    committed: dict[tuple[int, int], float] | None = None,
) -> None:
    """Change jobs as the engine does: some in each transaction, with one notice."""
    each = CHANGES_A_SECOND // NOTICES_A_SECOND
    async with await psycopg.AsyncConnection.connect(
        gantry.database_url, autocommit=True
    ) as connection:
        begun = time.perf_counter()
        for nth in range(int(seconds * NOTICES_A_SECOND)):
            await asyncio.sleep(max(0.0, begun + nth / NOTICES_A_SECOND - time.perf_counter()))
            some = [jobs[(nth * each + n) % len(jobs)] for n in range(each)]
            async with connection.transaction():
                rows = await (
                    await connection.execute(
                        "UPDATE jobs_job SET rev = rev + 1 WHERE id = ANY(%s)"
                        " RETURNING id, rev, project_id",
                        [some],
                    )
                ).fetchall()
                told = json.dumps({"jobs": [list(row) for row in rows]})
                await connection.execute("SELECT pg_notify('gantry_live', %s)", [told])
            now = time.perf_counter()
            if committed is not None:
                committed.update({(job, rev): now for job, rev, _ in rows})


def one_list() -> int:
    """A list that a thousand watch and fetch."""
    with running_gantry(FAKE) as gantry:
        jobs, cookie = _held_jobs(gantry)
        pages, current, last = asyncio.run(_watch_list(gantry, cookie, jobs))
    p50, p95 = (percentile(share)(pages.fetches) for share in (0.5, 0.95))
    print(f"{SOCKETS:,} sockets on one list, {CHANGES_A_SECOND} changes/s for {SECONDS} s")
    print(f"  the last is current {last:.1f} s after the last change (at most"
          f" {MOST_CURRENT_SECONDS:g}); current at all: {current} of {SOCKETS}")  # fmt: skip
    print(f"  {len(pages.fetches):,} fetches, p50 {p50:.0f} ms, p95 {p95:.0f} ms"
          f" (at most {MOST_FETCH_P95:g}), {pages.refused} refused and made again")  # fmt: skip
    met = current == SOCKETS and last <= MOST_CURRENT_SECONDS and p95 <= MOST_FETCH_P95
    return 0 if met else 1


async def _watch_list(
    gantry: RunningGantry, cookie: str, jobs: Sequence[int]
) -> tuple[ListPages, int, float]:
    """The pages, how many of them have seen the last change, and how long that took them."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(64))
    async with ListPages(gantry, cookie, SOCKETS, ["/_/jobs/rows"]) as pages:
        await asyncio.sleep(2)
        await _change(gantry, jobs, SECONDS)
        ended = time.perf_counter()
        with suppress(TimeoutError):
            await _until(
                lambda: pages.current(ended) == SOCKETS and pages.at_rest, 90, "all have seen it"
            )
        return pages, pages.current(ended), time.perf_counter() - ended


def _held_jobs(gantry: RunningGantry) -> tuple[list[int], str]:
    side = Scripted(gantry)
    spec = {"name": "watched", "image": "any:1", "hold": True, "resources": SMALL}
    made = side.post("/jobs/bulk", {"jobs": [spec] * JOBS})["ids"]
    return [int(job) for job in made], signed_in(gantry)


async def _until(found: Callable[[], bool], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not found():
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        await asyncio.sleep(0.05)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.live", description=__doc__)
    parser.add_argument("what", choices=("logs", "changes", "list"))
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
