"""The whole demonstration on a real Gantry: it keeps what it promises, and is made once."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.figures import tell
from tests.support.running import PROJECT, RunningGantry, running_gantry

pytestmark = [pytest.mark.e2e, pytest.mark.docker, pytest.mark.ui_long]

ENDS = {
    "succeeded", "exit_code", "signalled", "oom_killed", "timeout", "queue_timeout", "cancelled",
    "image_not_found", "image_denied", "could_not_start", "provider_lost",
}  # fmt: skip
REASONS = """
    SELECT j.state, CASE WHEN j.reason = 'queued' THEN c.reason ELSE j.reason END, count(*)
    FROM jobs_job j LEFT JOIN jobs_queueclass c ON c.id = j.queue_class_id
    GROUP BY 1, 2 ORDER BY 1
"""
"""What is told of a job in line stands at its class."""
WAITS = {"too_large", "held", "backoff", "no_capacity", "provider_down", "no_match"}


def demo(gantry: RunningGantry, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "demo", *words],
        cwd=PROJECT,
        env=gantry.environment,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


def test_the_demonstration_has_every_end_and_every_wait_and_is_made_once(docker_image: str) -> None:
    with running_gantry({"GANTRY_ALLOW_FAKE": "1"}) as gantry:
        gantry.start()
        told = demo(gantry)
        assert told.returncode == 0, told.stderr
        assert "not within" not in told.stdout
        rows = gantry.ask(REASONS)
        tell("demo", "; ".join(f"{state} {reason}: {count}" for state, reason, count in rows))
        reasons = {reason for _, reason, _ in rows}
        assert reasons >= ENDS | WAITS
        assert sum(int(str(count)) for state, _, count in rows if state == "running") > 10
        again = demo(gantry)
        assert "0 jobs made now" in again.stdout, again.stdout + again.stderr
