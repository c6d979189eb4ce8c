"""The upgrade drill: `git pull && make up` with jobs running. None is lost, none starts twice."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from tests.drills.client import ENDED, Client, numbered, output_of
from tests.support.container_starts import StartCounter
from tests.support.running import PROJECT, running_gantry
from tests.support.waiting import wait_until

BEFORE = "4e03cb5"
"""The commit that is upgraded from: the version before recovery's events and the ledger."""
LINES = 150
PAUSE = 0.5


def upgrade(jobs: int = 50, before: str = BEFORE) -> dict[str, object]:
    """Run it; what was seen. Raises AssertionError when a job was lost or a log is not whole."""
    source = Path(tempfile.mkdtemp(prefix="gantry-upgrade-"))
    try:
        _git("clone", "--quiet", str(PROJECT), str(source))
        after = _git("-C", str(source), "rev-parse", "HEAD")
        _git("-C", str(source), "checkout", "--quiet", before)
        return _drill(source, after, jobs)
    finally:
        shutil.rmtree(source)


def _drill(source: Path, after: str, count: int) -> dict[str, object]:
    with running_gantry() as gantry:
        gantry.project = source
        gantry.start()
        starts = StartCounter(gantry.instance)
        try:
            client = Client(gantry, "upgrade drill")
            jobs = [client.submit(f"job-{n}", numbered(LINES, PAUSE)) for n in range(count)]
            client.wait_for(jobs, {"running"}, 180)
            begun = time.monotonic()
            gantry.stop()
            _git("-C", str(source), "checkout", "--quiet", after)
            gantry.start()
            served = time.monotonic() - begun
            client = Client(gantry, "after the upgrade")
            adopted = "SELECT count(*) FROM projects_event WHERE type = 'attempt.adopted'"
            wait_until(lambda: gantry.ask(adopted)[0][0] == count, 60, "all are taken up")
            taken_up = time.monotonic() - begun
            still = sum(state == "running" for state in client.states(jobs).values())
            ends = client.wait_for(jobs, ENDED, 300)
            uids = [row[0] for row in gantry.ask("SELECT uid FROM jobs_attempt ORDER BY id")]
            figures: dict[str, object] = {
                "jobs running when it was stopped": count,
                "pages served again after, s": round(served, 1),
                "all jobs taken up after, s": round(taken_up, 1),
                "of them still running then": still,
                "completed": sum(state == "completed" for state in ends.values()),
                "started once": sum(starts.once(uid) for uid in uids),
                "logs whole, byte for byte": sum(
                    client.whole(job, output_of(LINES)) for job in jobs
                ),
            }
        finally:
            starts.close()
    for what in ("completed", "started once", "logs whole, byte for byte"):
        assert figures[what] == count, figures
    return figures


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=PROJECT, capture_output=True, text=True, check=True)
    return done.stdout.strip()
