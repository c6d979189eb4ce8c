"""`python -m benchmarks.purge`: how long it takes to delete very many old jobs, and what else waits
for it meanwhile.

A Gantry with a scripted provider is filled with jobs that ended longer ago than the instance
keeps them, each with an attempt, six events and a stored piece of log. Single jobs of the highest
priority are started one after the other, first with nothing else at work, then while
housekeeping deletes.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from benchmarks.intervals import estimate, percentile
from benchmarks.scripted import FAKE, Scripted
from tests.support.running import RunningGantry, running_gantry
from tests.support.waiting import wait_until

MOST_SECONDS, MOST_RISE = 60.0, 1.2
OLD, EVENTS = 1_000_000, 6
PURGE = "from jobs.tasks import keep_retention\nwhile keep_retention(): pass"


def fill(side: Scripted, many: int) -> None:
    """Old jobs, a hundred thousand at a time."""
    old = side.batch_of(1)
    ended = "now() - interval '400 days' - n * interval '1 second'"
    for _ in range(10):
        side.copy(old, many // 10, finished_at=ended, created_at=ended)
    side.execute(
        "INSERT INTO jobs_attempt (job_id, number, uid, provider_id, term, cpu_millis, memory_mb,"
        " gpus, phase, outcome, reason, reason_detail, progress, log_note, log_seq, log_lines,"
        " log_stdout_bytes, log_stderr_bytes, log_archived_seq, log_archive, ended_at, removed_at)"
        " SELECT id, 1, gen_random_uuid(), provider_id, 0, cpu_millis, memory_mb, 0, 'ended',"
        " 'completed', 'succeeded', '{}', '{}', '', 1, 20, 2000, 0, 0, '[]', finished_at,"
        f" finished_at FROM jobs_job WHERE id > {old}"
    )
    side.execute(
        "INSERT INTO jobs_logchunk (attempt_id, seq, first_line, lines, first_at, last_at,"
        " stdout_offset, stderr_offset, crc32, codec, body)"
        " SELECT id, 1, 1, 20, ended_at, ended_at, 0, 0, 0, 0, decode(repeat('61', 2000), 'hex')"
        f" FROM jobs_attempt WHERE job_id > {old}"
    )
    side.execute(
        "INSERT INTO projects_event (subject_kind, subject_id, project_id, type, from_state,"
        " to_state, reason, detail, actor_kind, actor_name, via, request_id, at)"
        " SELECT 'job', id, project_id, 'job.old', '', '', '', '{}', 'host', 'engine', 'engine',"
        f" '', finished_at FROM jobs_job, generate_series(1, {EVENTS}) WHERE jobs_job.id > {old}"
    )
    side.execute("VACUUM ANALYZE")


@contextmanager
def housekeeping_stands_still(gantry: RunningGantry) -> Iterator[None]:
    """Gantry's own deletes nothing meanwhile: it would be ahead of what is measured."""
    group = gantry.pid_of("qcluster")
    os.killpg(group, signal.SIGSTOP)
    try:
        yield
    finally:
        os.killpg(group, signal.SIGCONT)


def main() -> int:
    """0 when both goals are met."""
    asked = _arguments()
    with ExitStack() as stack:
        gantry = stack.enter_context(running_gantry(FAKE))
        side = Scripted(gantry)
        stack.enter_context(housekeeping_stands_still(gantry))
        begun = time.monotonic()
        fill(side, asked.jobs)
        print(f"filled in {time.monotonic() - begun:.0f} s", flush=True)
        side.start()
        alone = [side.start() for _ in range(asked.samples)]
        old = "SELECT count(*) FROM jobs_job WHERE finished_at < now() - interval '399 days'"
        assert gantry.ask(old)[0][0] == asked.jobs, "all of them are there still"
        begun = time.monotonic()
        purge = subprocess.Popen(
            [sys.executable, "manage.py", "shell", "-c", PURGE],
            cwd=gantry.project,
            env=gantry.environment,
            stdout=subprocess.DEVNULL,
        )
        beside = []
        while purge.poll() is None:
            beside.append(side.start())
        seconds = time.monotonic() - begun
        assert purge.returncode == 0, "housekeeping failed"
        left = "SELECT count(*) FROM projects_event WHERE type = 'job.old'"
        wait_until(lambda: gantry.ask(left)[0][0] == 0, 1, "nothing is left")
    p99s = [estimate(each, percentile(0.99)) for each in (alone, beside)]
    rise = p99s[1].value / p99s[0].value
    rate, million = asked.jobs / seconds, seconds * 1e6 / asked.jobs
    print(f"{asked.jobs:,} old jobs deleted in {seconds:.1f} s, {rate:,.0f}/s")
    print(f"  a million would take {million:.0f} s (at most {MOST_SECONDS:g})")
    for name, one in zip(("alone", "meanwhile"), p99s, strict=True):
        print(f"  start p99 {name}, ms: {one.value:.0f} [{one.low:.0f}, {one.high:.0f}]")
    print(f"  ratio {rise:.2f} (at most {MOST_RISE})")
    return int(million > MOST_SECONDS or rise > MOST_RISE)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.purge", description=__doc__)
    parser.add_argument("--jobs", type=int, default=OLD)
    parser.add_argument("--samples", type=int, default=200, help="single jobs with nothing beside")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
