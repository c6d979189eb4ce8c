"""`python -m benchmarks.deep_queue`: what a long queue and a long history cost.

Two Gantries on one machine with scripted providers (docs/fake-driver.md), so that no container
counts: an empty one, and one with 1,000,000 finished and 100,000 waiting jobs in 200 classes.
In turn each of them is given a batch of jobs that end at once, and single jobs of the highest
priority; the other stands still meanwhile.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from contextlib import ExitStack

from benchmarks.intervals import estimate, percentile
from benchmarks.scripted import FAKE, SMALL, Scripted
from tests.support.running import running_gantry
from tests.support.waiting import wait_until

WAITING, FINISHED, CLASSES = 100_000, 1_000_000, 200
MOST_START_MS, LEAST_RATIO = 250.0, 0.9


def deepen(side: Scripted, waiting: int, finished: int) -> None:
    """A history, and a queue that waits for a provider with one place, which is taken."""
    busy = [{"key": "pool", "op": "eq", "values": ["busy"]}]
    sits = {"name": "sits", "image": "any:1", "command": ["duration=86400"], "requires": busy}
    side.post("/jobs", sits | {"resources": SMALL})
    old = int(side.post("/jobs", {"name": "old", "image": "any:1", "provider": "quick"})["id"])
    state = f"SELECT 1 FROM jobs_job WHERE id = {old} AND state = 'completed'"
    wait_until(lambda: bool(side.gantry.ask(state)), 60, "the first of the history has ended")
    for _ in range(10):
        side.copy(old, finished // 10, finished_at="now() - n * interval '1 second'",
                  created_at="now() - n * interval '1 second'")  # fmt: skip
    side.execute(
        "INSERT INTO jobs_attempt (job_id, number, uid, provider_id, term, cpu_millis, memory_mb,"
        " gpus, phase, outcome, reason, reason_detail, progress, log_note, log_seq, log_lines,"
        " log_stdout_bytes, log_stderr_bytes, log_archived_seq, log_archive, ended_at, removed_at)"
        " SELECT id, 1, gen_random_uuid(), provider_id, 0, cpu_millis, memory_mb, 0, 'ended',"
        " 'completed', 'succeeded', '{}', '{}', '', 0, 0, 0, 0, 0, '[]', finished_at, finished_at"
        f" FROM jobs_job WHERE name = 'old' AND id <> {old}"
    )
    for number in range(CLASSES):
        spec = {"name": f"waits-{number}", "image": "any:1", "requires": busy, "hold": True,
                "priority": number % 90, "resources": {"memory_mb": 64 + number}}  # fmt: skip
        job = int(side.post("/jobs", spec)["id"])
        side.copy(job, waiting // CLASSES, held="false", reason="'queued'",
                  queued_at="now() - n * interval '0.1 second'")  # fmt: skip
    side.execute("VACUUM ANALYZE")
    os.sync()  # what was filled in is not written out beside what is measured


def main() -> int:
    """0 when both goals are met."""
    asked = _arguments()
    with ExitStack() as stack:
        empty, deep = (Scripted(stack.enter_context(running_gantry(FAKE))) for _ in range(2))
        begun = time.monotonic()
        deepen(deep, asked.waiting, asked.finished)
        print(f"filled in {time.monotonic() - begun:.0f} s", flush=True)
        rates: list[tuple[float, float]] = []
        starts: tuple[list[float], list[float]] = ([], [])
        for number in range(asked.rounds):
            found = [0.0, 0.0]
            for which in (0, 1) if number % 2 else (1, 0):
                side, other = (empty, deep) if which == 0 else (deep, empty)
                with other.standing_still():
                    side.wake_up()
                    found[which] = side.batch(asked.batch)
                    starts[which].extend(side.start() for _ in range(asked.samples))
            rates.append((found[0], found[1]))
            print(f"  empty {found[0]:.0f}/s, deep {found[1]:.0f}/s", flush=True)
    ratio = estimate([b / a for a, b in rates])
    p50s = [estimate(side) for side in starts]
    p99s = [estimate(side, percentile(0.99)) for side in starts]
    print(f"{asked.waiting:,} waiting, {asked.finished:,} finished, {asked.rounds} rounds")
    print(f"  dispatch ratio        {ratio.told()} (at least {LEAST_RATIO})")
    print(f"  start p50, ms         empty {p50s[0].told()}, deep {p50s[1].told()}")
    print(f"  start p99, ms         empty {p99s[0].told()}, deep {p99s[1].told()}"
          f" (at most {MOST_START_MS:.0f})")  # fmt: skip
    return int(ratio.value < LEAST_RATIO or p99s[1].value > MOST_START_MS)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.deep_queue", description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--batch", type=int, default=1000, help="jobs of a round and side")
    parser.add_argument("--samples", type=int, default=20, help="single jobs of a round and side")
    parser.add_argument("--waiting", type=int, default=WAITING)
    parser.add_argument("--finished", type=int, default=FINISHED)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
