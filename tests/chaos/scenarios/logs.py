"""Logs under faults: whatever is cut, what is stored is what was written, byte for byte, or
it says where not; and what is whole is not said to have gaps.

The loop's own code (an attempt's thread, the log writer, the driver) runs in the campaign's
process over a real Docker engine; what it stores is kept in memory.
"""

from __future__ import annotations

import hashlib
import random
import re
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from providers.driver import Mount
from providers.drivers.docker import container
from providers.drivers.docker.endpoint import find_endpoint
from providers.drivers.docker.options import DockerOptions
from tests.chaos.campaign import Scenario, Trial, Verdict
from tests.chaos.ground import ground
from tests.chaos.log_bench import LogBench, Running, Stored, exited, log_bench
from tests.support.fault_proxy import FaultProxy, Faults
from tests.support.own_dockerd import own_dockerd
from tests.support.waiting import wait_until

HARNESS = "docker (the loop in one process, no database)"
SEEN_SECONDS = 60.0
HASHES = re.compile(rb"([0-9a-f]{64})  /out\n([0-9a-f]{64})  /err\n\Z")

SELF_HASHED = """
head -c {out} /dev/urandom > /out; echo >> /out
head -c {err} /dev/urandom > /err; echo >> /err
i=0
while [ $i -lt {steps} ]; do
    dd if=/out bs={out_step} skip=$i count=1 2>/dev/null
    dd if=/err bs={err_step} skip=$i count=1 >&2 2>/dev/null
    i=$((i+1)); sleep {pause}
done
sha256sum /out /err
"""
"""Random bytes on both streams, and then what they hash to."""


def self_hashed(steps: int, *, pause: float, out_step: int = 5000, err_step: int = 3000) -> str:
    """A job of so many steps that tells what it wrote."""
    return SELF_HASHED.format(
        out=steps * out_step - 1, err=steps * err_step - 1, out_step=out_step, err_step=err_step,
        steps=steps, pause=pause,
    )  # fmt: skip


def flaw(stored: Stored) -> str:
    """What is wrong with the stored log of a self-hashed job; empty: nothing is."""
    told = HASHES.search(stored.out)
    if told is None:
        return f"its hashes are not there: it ends with {stored.out[-80:]!r}"
    for name, data, wanted in (
        ("stdout", stored.out[: told.start()], told[1]),
        ("stderr", stored.err, told[2]),
    ):
        if hashlib.sha256(data).hexdigest().encode() != wanted:
            return f"its {name} of {len(data)} bytes is not what was written"
    return ""


def cuts(trial: Trial, *, wanted: int = 50, jobs: int = 6, steps: int = 40) -> Verdict:
    """Readings are cut at bytes of chance, also within the 8 bytes of a frame's head, and
    owners change now and then, until so many were cut; then the logs are compared."""
    rng = random.Random(trial.seed)
    with proxied() as (proxy, bench):

        def choose(said: bytes) -> Faults | None:
            if b"/logs?" not in said[:200] or proxy.cuts >= wanted:
                return None
            return Faults(cut_down_at=cut_place(rng))

        proxy.choose = choose
        running: list[Running] = []
        ended: list[Running] = []
        turns = 0
        while proxy.cuts < wanted or running:
            if proxy.cuts < wanted:
                while len(running) < jobs:
                    running.append(bench.begin(self_hashed(steps, pause=0.05)))
            turns += 1
            if running and turns % 100 == 0:
                chosen = rng.choice(running)
                if chosen.handle is not None and not chosen.over():
                    chosen.hand_over()
            over = [one for one in running if one.over()]
            ended += over
            running = [one for one in running if one not in over]
            pause(0.02)
        stored = [one.finish() for one in ended]
        figures = {"cuts": proxy.cuts, "logs": len(stored), "bytes": float(sum(map(size, stored)))}
    broken = [words for words in map(flaw, stored) if words]
    broken += [f"said to be incomplete: {log.note}" for log in stored if not log.complete]
    return Verdict(figures, broken)


def cut_place(rng: random.Random) -> int:
    """Where to cut an answer: its first frames (and their heads, byte by byte), or anywhere."""
    return rng.choice((rng.randrange(150, 700), rng.randrange(150, 60_000)))


def size(log: Stored) -> int:
    """Bytes of both streams."""
    return len(log.out) + len(log.err)


def clean(trial: Trial, *, jobs: int = 50) -> Verdict:
    """Jobs to which nothing happens, many at a time: none is said to have a gap."""
    rng = random.Random(trial.seed)
    with log_bench(ground().image) as bench:
        logs: list[Stored] = []
        left = jobs
        while left:
            batch = min(left, 10)
            left -= batch
            begun = [
                bench.begin(
                    self_hashed(rng.choice((1, 1, 2, 5, 20)), pause=rng.choice((0, 0, 0.01, 0.05)))
                )
                for _ in range(batch)
            ]
            logs += [one.finish() for one in begun]
    broken = [words for words in map(flaw, logs) if words]
    false = [f"said to be incomplete: {log.note}" for log in logs if not log.complete]
    return Verdict({"clean runs": len(logs), "false flags": len(false)}, broken + false)


# --- losses ---

NUMBERED = "i=0; while [ $i -lt {lines} ]; do i=$((i+1)); echo line $i of {lines}; done"


def rotated(trial: Trial) -> Verdict:
    """The reader is held up while the engine rotates away what it has not read."""
    with (
        patch.object(container, "LOG_FILE_BYTES", 64 * 1024),
        patch.object(container, "LOG_FILES", 2),
        proxied() as (proxy, bench),
    ):
        job = bench.begin(f"echo begin; sleep 1; {NUMBERED.format(lines=20_000)}")
        job.wait_until_runs()
        if trial.number % 2:
            wait_until(lambda: bench.last_append(1) is not None, SEEN_SECONDS, "its first line")
        proxy.hang()
        wait_until(lambda: exited(bench, job), SEEN_SECONDS, "it has ended")
        proxy.mend()
        return lost([job.finish()], whole=numbered(20_000, b"begin\n"))


def removed(trial: Trial) -> Verdict:
    """Its container is removed by hand, still running or ended, before it was read."""
    with proxied() as (proxy, bench):
        with unread(proxy):
            job = bench.begin(f"{NUMBERED.format(lines=2000)}; sleep {(60, 0.3)[trial.number % 2]}")
            job.wait_until_runs()
            assert job.handle is not None
            if trial.number % 2:
                wait_until(lambda: exited(bench, job), SEEN_SECONDS, "it has ended")
            bench.direct.remove(job.handle, force=True)
        return lost([job.finish()], whole=numbered(2000))


def undecodable(trial: Trial) -> Verdict:
    """A record of the engine's file is damaged before it was read."""
    with proxied() as (proxy, bench):
        with unread(proxy):
            job = bench.begin(NUMBERED.format(lines=2000) + "; sleep 0.3")
            job.wait_until_runs()
            wait_until(lambda: exited(bench, job), SEEN_SECONDS, "it has ended")
            damage(job, random.Random(trial.seed))
        return lost([job.finish()], whole=numbered(2000))


@contextmanager
def unread(proxy: FaultProxy) -> Iterator[None]:
    """No log gets through; all else does."""
    proxy.choose = lambda said: Faults(black_hole=True) if b"/logs?" in said[:200] else None
    yield
    proxy.mend()
    proxy.end_connections()


def damage(job: Running, rng: random.Random) -> None:
    """Bytes of chance over one place of the engine's own file."""
    assert job.handle is not None
    with_engine = Path("/var/lib/docker/containers") / str(job.handle["id"])
    file = with_engine / "local-logs" / "container.log"
    data = bytearray(file.read_bytes())
    at = rng.randrange(len(data) // 4, len(data) // 2)
    data[at : at + 300] = rng.randbytes(300)
    file.write_bytes(data)


def away(trial: Trial, *, jobs: int = 10) -> Verdict:
    """Programs end while their engine is dead, with live-restore: what they wrote meanwhile
    is gone, and the engine says nothing of it. Those that outlive it keep everything."""
    at = ground()
    rng = random.Random(trial.seed)
    ending = signal.SIGKILL if trial.number % 2 else signal.SIGTERM
    with (
        own_dockerd(at.image, live_restore=True) as engine,
        log_bench(at.image, engine.url) as on,
        tempfile.TemporaryDirectory() as folder,
    ):
        words = (Mount(folder, "/words"),)
        leaving = [on.begin(UNTIL.format("leave"), words) for _ in range(jobs)]
        staying = [on.begin(UNTIL.format("stay"), words) for _ in range(3)]
        for job in (*leaving, *staying):
            job.wait_until_runs()
        pause(rng.uniform(0.2, 0.8))
        engine.stop(ending)
        pause(0.5)
        (Path(folder) / "leave").touch()
        pause(1.5)
        engine.start()
        pause(1.0)
        (Path(folder) / "stay").touch()
        gone, kept = ([job.finish() for job in group] for group in (leaving, staying))
    silent = [log for log in gone if log.complete and not counted(log)]
    broken = [f"it ends with {log.out[-20:]!r}, and nothing is said" for log in silent]
    broken += [
        f"one that outlived it: it ends with {log.out[-20:]!r}, {log.note!r}"
        for log in kept
        if not (log.complete and counted(log))
    ]
    losses = sum(not counted(log) for log in gone)
    return Verdict({"losses": losses, "flagged": losses - len(silent)}, broken)


UNTIL = """
i=0
while [ ! -e /words/{} ]; do i=$((i+1)); echo line $i; sleep 0.1; done
echo end of $i
"""


def counted(log: Stored) -> bool:
    """Whether the output of UNTIL is whole."""
    *lines, end = log.out.splitlines() or [b""]
    return end == b"end of %d" % len(lines) and lines == [
        b"line %d" % n for n in range(1, len(lines) + 1)
    ]


def lost(logs: list[Stored], *, whole: bytes) -> Verdict:
    """Each of these lost some of it, and has to say so."""
    losses = [log for log in logs if log.out != whole]
    silent = [log for log in losses if log.complete]
    broken = [f"{len(log.out)} of {len(whole)} bytes stored, and nothing said" for log in silent]
    broken += [
        "incomplete, but not said why" for log in losses if not log.complete and not log.note
    ]
    return Verdict(
        {
            "losses": len(losses),
            "flagged": len(losses) - len(silent),
            "not lost after all": len(logs) - len(losses),
        },
        broken,
    )


def numbered(lines: int, first: bytes = b"") -> bytes:
    """What NUMBERED writes."""
    return first + b"".join(b"line %d of %d\n" % (n, lines) for n in range(1, lines + 1))


@contextmanager
def proxied() -> Iterator[tuple[FaultProxy, LogBench]]:
    """A bench whose engine is behind a proxy."""
    real = find_endpoint(DockerOptions()).socket_path
    with (
        tempfile.TemporaryDirectory() as folder,
        FaultProxy(Path(folder) / "docker.sock", real) as proxy,
        log_bench(ground().image, f"unix://{proxy.address}", direct_url=f"unix://{real}") as bench,
    ):
        try:
            yield proxy, bench
        finally:
            proxy.mend()


def pause(seconds: float) -> None:
    """Let it work so long: the moment of the next fault is chance, not a condition."""
    until = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() >= until, seconds + 60, "the moment of the next fault")


LOSSES: list[tuple[str, int, Callable[[Trial], Verdict]]] = [
    ("rotated", 55, rotated),
    ("removed", 55, removed),
    ("undecodable", 55, undecodable),
    ("engine-away", 4, away),
]
SCENARIOS = [
    Scenario("logs.cuts", HARNESS, 20, cuts),
    Scenario("logs.clean", HARNESS, 20, clean),
    *(Scenario(f"logs.lost-{name}", HARNESS, trials, run) for name, trials, run in LOSSES),
]
