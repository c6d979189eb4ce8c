"""`python -m benchmarks.capture`: how fast a container's output gets into the stored log.

- one container writes numbered lines of 100 bytes as fast as it can: the bytes that are stored a
  second ÷ those that `docker logs -f` of the same container, run bare, delivers; in turn. It may
  stop before the end of a log that was rotated, so what it delivers is counted.
- eight such at once: the lines that are stored a second in all.

Both count from the engine's stamp on the first line: `docker logs -f` to its end, Gantry until
all bytes are committed. Each stored log is read back and compared with what was written, and the
rows that it took are counted.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from typing import Any

import psycopg
from docker import APIClient

from benchmarks.bare import moment
from benchmarks.baseline import compared, keep, worse
from benchmarks.intervals import Estimate, estimate
from benchmarks.orchestrated import Client
from orchestrator.local.image import SAMPLE
from providers.driver import RunSpec
from providers.drivers.docker.container import container_body
from tests.support.running import RunningGantry, running_gantry
from tests.support.unwinding import unwind_on_sigterm

OWN = "gantry-bench-capture"
"""The instance that the bare containers are labelled with."""
LINE_BYTES = 100
FLOOD = (
    "awk 'BEGIN {{ for (i = 1; i <= {lines}; i++) printf \"%099d\\n\", i }}' > /tmp/flood;"
    " cat /tmp/flood"
)
"""Written first and then shown, so that the making of lines is not what is measured."""
AT_ONCE = 8
CORES, MEMORY_MB = 1.0, 256
ROW_BYTES, HEAD_BYTES = 64 * 1024, 13
LEAST_RATIO, LEAST_LINES, MOST_ROWS = 0.6, 20_000.0, 1.0
RATIO = "log capture ÷ what docker logs -f delivers, bytes/s"
LOOK_SECONDS, MOST_SECONDS = 0.02, 120


@dataclass(frozen=True, slots=True)
class Stored:
    """A captured log: when its first line was written and its last one committed, its lines
    and its rows."""

    begun_at: float
    done_at: float
    lines: int
    rows: int

    @property
    def rate(self) -> float:
        """Bytes of output a second."""
        return self.lines * LINE_BYTES / (self.done_at - self.begun_at)

    @property
    def rows_of_64_kib(self) -> float:
        """Rows for each 64 KiB of what they hold: the lines, and the heads of their frames."""
        return self.rows / (self.lines * (LINE_BYTES + HEAD_BYTES) / ROW_BYTES)


class Bare:
    """The engine alone, and its own follower."""

    def __init__(self) -> None:
        # The SDK's own annotations are incomplete here.
        self._client: Any = APIClient(version="auto", timeout=120)

    def rate(self, lines: int) -> float:
        """Bytes of output a second that `docker logs -f` delivers."""
        container = self._client.create_container_from_config(_body(lines))["Id"]
        try:
            self._client.start(container)
            with subprocess.Popen(
                ["docker", "logs", "-f", container], stdout=subprocess.PIPE
            ) as follower:
                assert follower.stdout is not None
                counted = subprocess.run(
                    ["wc", "-c"], stdin=follower.stdout, capture_output=True, check=True
                )
            assert follower.returncode == 0, "docker logs -f ends well"
            ended = time.time()
            first = next(self._client.logs(container, stream=True, timestamps=True))
            delivered = int(counted.stdout)
            print(f"  docker logs -f: {delivered / lines / LINE_BYTES:.0%} of it", flush=True)
            return delivered / (ended - moment(first.split(b" ")[0].decode()))
        finally:
            self._client.remove_container(container, force=True)

    def close(self) -> None:
        """Hang up."""
        self._client.close()


class Captured:
    """The same container as a job of a Gantry."""

    def __init__(self, gantry: RunningGantry) -> None:
        self._gantry = gantry
        self._token = gantry.manage("token", "admin", "--name", "bench").strip()
        self._client = Client(gantry.port, self._token)
        self._database = psycopg.connect(gantry.database_url, autocommit=True)

    def run(self, lines: int, jobs: int = 1) -> list[Stored]:
        """Run so many such jobs at once; what became of their logs. Each is as it was written."""
        spec = {
            "name": "flood", "image": SAMPLE, "script": FLOOD.format(lines=lines),
            "resources": {"cpu_cores": CORES if jobs == 1 else CORES / 8, "memory_mb": MEMORY_MB},
        }  # fmt: skip
        made = [int(self._client.call("POST", "/jobs", spec)["id"]) for _ in range(jobs)]
        done_at = self._until_stored(made, lines * LINE_BYTES)
        for job in made:
            self._until_ended(job)
        return [self._seen(job, done_at[job], lines) for job in made]

    def _until_stored(self, jobs: Sequence[int], size: int) -> dict[int, float]:
        done_at: dict[int, float] = {}
        deadline = time.monotonic() + MOST_SECONDS
        while len(done_at) < len(jobs):
            assert time.monotonic() < deadline, "all output is stored"
            rows = self._database.execute(
                "SELECT job_id FROM jobs_attempt WHERE job_id = ANY(%s) AND log_stdout_bytes >= %s",
                [list(jobs), size],
            ).fetchall()
            now = time.time()
            for (job,) in rows:
                done_at.setdefault(job, now)
            time.sleep(LOOK_SECONDS)
        return done_at

    def _until_ended(self, job: int) -> None:
        while self._client.call("GET", f"/jobs/{job}?wait=60")["state"] != "completed":
            pass

    def _seen(self, job: int, done_at: float, lines: int) -> Stored:
        """Compare a log with what was written."""
        request = urllib.request.Request(
            f"{self._gantry.url}/api/v1/jobs/{job}/logs?format=text",
            headers={"Authorization": f"Bearer {self._token}"},
        )
        found = hashlib.sha256()
        with urllib.request.urlopen(request, timeout=120) as answer:
            while data := answer.read(1 << 20):
                found.update(data)
        assert found.digest() == _written(lines), f"job {job}: stored as it was written"
        row = self._database.execute(
            "SELECT log_seq, log_complete FROM jobs_attempt WHERE job_id = %s", [job]
        ).fetchone()
        assert row is not None
        rows, complete = row
        assert complete, f"job {job}: its log is complete"
        return Stored(self._begun_at(job), done_at, lines, rows)

    def _begun_at(self, job: int) -> float:
        """The engine's stamp on its first line."""
        request = urllib.request.Request(
            f"{self._gantry.url}/api/v1/jobs/{job}/logs?format=ndjson",
            headers={"Authorization": f"Bearer {self._token}"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return moment(json.loads(answer.readline())["time"])

    def close(self) -> None:
        """Hang up."""
        self._client.close()
        self._database.close()


def main() -> int:
    """0 when the goals are met and no kept ratio is worse."""
    asked = _arguments()
    unwind_on_sigterm()
    with running_gantry() as gantry:
        gantry.start()
        with closing(Captured(gantry)) as captured, closing(Bare()) as bare:
            captured.run(1000)
            pairs = [_round(captured, bare, asked.lines) for _ in range(asked.rounds)]
            many = [_at_once(captured, asked.lines // 4) for _ in range(asked.floods)]
    ratio = estimate([ours.rate / theirs for ours, theirs in pairs])
    own, follower = estimate([ours.rate for ours, _ in pairs]), estimate([t for _, t in pairs])
    lines = estimate(many)
    rows = estimate([ours.rows_of_64_kib for ours, _ in pairs])
    print(f"one container: {ratio.told()} of docker logs -f (at least {LEAST_RATIO:g});"
          f" {_mb(own)} ÷ {_mb(follower)}")  # fmt: skip
    print(f"{AT_ONCE} at once: {lines.told(0)} stored lines/s (at least {LEAST_LINES:,.0f})")
    print(f"rows of each 64 KiB of frames: {rows.told()} (at most {MOST_ROWS:g})")
    print("every log is byte for byte what was written")
    found = {RATIO: ratio}
    lost = list(worse(found))
    print(*(lost or [f"Kept ratios: {len(compared(found))} compared, none is worse"]), sep="\n")
    if asked.keep:
        keep(found)
    met = ratio.value >= LEAST_RATIO and lines.value >= LEAST_LINES and rows.value <= MOST_ROWS
    return int(bool(lost) or not met)


def _round(captured: Captured, bare: Bare, lines: int) -> tuple[Stored, float]:
    (ours,) = captured.run(lines)
    theirs = bare.rate(lines)
    print(f"  {ours.rate / 1e6:.1f} ÷ {theirs / 1e6:.1f} MB/s", flush=True)
    return ours, theirs


def _at_once(captured: Captured, lines: int) -> float:
    """Lines stored a second in all."""
    logs = captured.run(lines, AT_ONCE)
    took = max(log.done_at for log in logs) - min(log.begun_at for log in logs)
    rate = AT_ONCE * lines / took
    print(f"  {AT_ONCE} at once: {rate:,.0f} lines/s", flush=True)
    return rate


def _body(lines: int) -> dict[str, Any]:
    return container_body(
        RunSpec(
            instance=OWN,
            job=1,
            attempt=1,
            uid=str(uuid.uuid4()),
            term=1,
            name="flood",
            image=SAMPLE,
            entrypoint=("sh", "-c", FLOOD.format(lines=lines)),
            cpu_cores=CORES,
            memory_mb=MEMORY_MB,
        )
    )


@cache
def _written(lines: int) -> bytes:
    """The hash of what that many lines are."""
    found = hashlib.sha256()
    for number in range(1, lines + 1):
        found.update(b"%099d\n" % number)
    return found.digest()


def _mb(one: Estimate) -> str:
    return f"{one.value / 1e6:.1f} [{one.low / 1e6:.1f}, {one.high / 1e6:.1f}] MB/s"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.capture", description=__doc__)
    parser.add_argument("--rounds", type=int, default=8, help="of both sides")
    parser.add_argument("--floods", type=int, default=3, help="of eight containers at once")
    parser.add_argument("--lines", type=int, default=500_000, help="of each container alone")
    parser.add_argument("--keep", action="store_true", help="hold later runs against this one")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
