"""`python -m benchmarks.followed`: the memory that a followed container costs the engine process.

Fifty real containers that write a line a second, each followed. Their number is the only thing
that differs between the two looks at the process: PSS with them, less PSS without, by fifty.
"""

from __future__ import annotations

import sys
import time
from contextlib import closing

from benchmarks.orchestrated import Client
from benchmarks.processes import Processes
from orchestrator.local.image import SAMPLE
from tests.support.running import running_gantry
from tests.support.unwinding import unwind_on_sigterm
from tests.support.waiting import wait_until

CONTAINERS = 50
SETTLE_SECONDS = 20.0
MOST_MIB = 0.5
STEADY = "while :; do echo a line of output; sleep 1; done"


def main() -> int:
    """0 when a container costs no more than it may."""
    unwind_on_sigterm()
    with running_gantry() as gantry:
        gantry.start()
        processes = Processes(gantry)
        token = gantry.manage("token", "admin", "--name", "bench").strip()
        with closing(Client(gantry.port, token)) as client:
            spec = {"name": "steady", "image": SAMPLE, "script": STEADY,
                    "resources": {"cpu_cores": 0.02, "memory_mb": 16}}  # fmt: skip
            # One comes and goes first, so that what the first job of all loads is not counted.
            first = int(client.call("POST", "/jobs", spec)["id"])
            states = "SELECT count(*) FROM jobs_job WHERE state = 'running'"
            wait_until(lambda: gantry.ask(states)[0][0] == 1, 60, "it runs")
            _end(client, [first])
            left = "SELECT count(*) FROM jobs_attempt WHERE removed_at IS NULL"
            wait_until(lambda: gantry.ask(left)[0][0] == 0, 60, "it is gone")
            before = _engine_mib(processes)
            jobs = [int(client.call("POST", "/jobs", spec)["id"]) for _ in range(CONTAINERS)]
            wait_until(lambda: gantry.ask(states)[0][0] == CONTAINERS, 240, "all of them run")
            after = _engine_mib(processes)
            _end(client, jobs)
            wait_until(lambda: gantry.ask(left)[0][0] == 0, 240, "all are gone")
    each = (after - before) / CONTAINERS
    print(f"engine process {before:.1f} MiB without, {after:.1f} MiB with {CONTAINERS} followed")
    print(f"  {each:.2f} MiB each (at most {MOST_MIB:g})")
    return int(each > MOST_MIB)


def _engine_mib(processes: Processes) -> float:
    """What it has come to after a while."""
    time.sleep(SETTLE_SECONDS)
    return sum(usage.pss_mib for usage in processes.usage() if usage.role == "orchestrate")


def _end(client: Client, jobs: list[int]) -> None:
    for job in jobs:
        client.call("POST", f"/jobs/{job}/cancel")


if __name__ == "__main__":
    sys.exit(main())
