"""The restore drill: a backup taken while jobs run, the machine's data lost, and brought back."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from tests.drills.client import ENDED, Client, numbered, output_of
from tests.support.container_starts import StartCounter
from tests.support.running import RunningGantry, running_gantry
from tests.support.waiting import wait_until

LINES = 400
"""Of a job that runs from before the backup until after the restore, one each 0.2 s."""


def restore() -> dict[str, object]:
    """Run it; what was seen. Raises AssertionError when anything was adopted wrongly or lost."""
    with tempfile.TemporaryDirectory(prefix="gantry-restore-") as folder:
        backup = Path(folder) / "gantry.backup"
        with running_gantry() as lost:
            lost.start()
            starts = StartCounter(lost.instance)
            try:
                jobs = _work_and_back_up(lost, backup)
                lost.lose()
                return _bring_back(backup, jobs, starts)
            finally:
                starts.close()


def _work_and_back_up(gantry: RunningGantry, backup: Path) -> dict[str, int]:
    """Jobs in every relation to the backup."""
    client = Client(gantry, "restore drill")
    jobs = {"ended before": client.submit("before", "echo before")}
    client.wait_for([jobs["ended before"]], {"completed"}, 60)
    jobs["runs on"] = client.submit("on", numbered(LINES, 0.2))
    jobs["ends since"] = client.submit("since", "echo since; sleep 600")
    jobs["waits"] = client.submit("waits", "echo waited", hold=True)
    client.wait_for([jobs["runs on"], jobs["ends since"]], {"running"}, 60)
    gantry.manage("backup", str(backup))
    client.ask(f"/jobs/{jobs['ends since']}/cancel", {})
    client.wait_for([jobs["ends since"]], {"cancelled"}, 60)
    removed = "SELECT 1 FROM jobs_attempt WHERE job_id = {} AND removed_at IS NOT NULL"
    wait_until(
        lambda: gantry.ask(removed.format(jobs["ends since"])), 60, "its container is removed"
    )
    jobs["came since"] = client.submit("stranger", "echo stranger; sleep 600")
    client.wait_for([jobs["came since"]], {"running"}, 60)
    return jobs


def _bring_back(backup: Path, jobs: dict[str, int], starts: StartCounter) -> dict[str, object]:
    with running_gantry() as gantry:
        begun = time.monotonic()
        gantry.manage("restore", str(backup))
        gantry.start()
        took = time.monotonic() - begun
        client = Client(gantry, "after the restore")
        namesake = client.submit("namesake", "echo namesake")
        assert namesake == jobs["came since"], "a number given since the backup is given again"
        client.wait_for([namesake, jobs["runs on"], jobs["ends since"]], ENDED, 180)
        ended_since = client.ask(f"/jobs/{jobs['ends since']}")
        swept = (
            "SELECT detail FROM projects_event WHERE type = 'provider.swept'"
            f" AND detail->>'job' = '{namesake}'"
        )
        wait_until(lambda: gantry.ask(swept), 180, "the stranger is removed")
        adopted = [words for words in client.words(jobs["runs on"]) if "attempt.adopted" in words]
        uid = gantry.ask(f"SELECT uid FROM jobs_attempt WHERE job_id = {jobs['runs on']}")[0][0]
        figures: dict[str, object] = {
            "restored and serving after, s": round(took, 1),
            "ended before the backup": client.ask(f"/jobs/{jobs['ended before']}")["state"],
            "ran on through it all": client.ask(f"/jobs/{jobs['runs on']}")["state"],
            "its log whole, byte for byte": client.whole(jobs["runs on"], output_of(LINES)),
            "its program started once": starts.once(uid),
            "told": adopted[-1] if adopted else "",
            "held at the backup": client.ask(f"/jobs/{jobs['waits']}")["state"],
            "ended since the backup": f"{ended_since['state']}, {ended_since['reason']}",
            "with the number of a job that came since": client.read(
                f"/jobs/{namesake}/logs?format=text"
            ).decode(),
            "what came since, on the engine": "removed, and told on its provider",
        }
    expected = {
        "ended before the backup": "completed",
        "ran on through it all": "completed",
        "its log whole, byte for byte": True,
        "its program started once": True,
        "held at the backup": "pending",
        "ended since the backup": "failed, removed_outside",
        "with the number of a job that came since": "namesake\n",
    }
    assert {name: figures[name] for name in expected} == expected, figures
    return figures
