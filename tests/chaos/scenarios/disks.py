"""Gantry's own disk gets full under running jobs: that of the whole data folder, with the
embedded Postgres in it, or only that of the archive. Nothing is lost, and it goes on by
itself when there is room."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg

from jobs.models import Attempt, Job
from jobs.states import JobState
from projects.models import InstanceSettings
from tests.chaos.campaign import Scenario, Trial, Verdict
from tests.chaos.scenarios.database import patient
from tests.chaos.stage import END_SECONDS
from tests.chaos.whole import Whole, whole
from tests.support.running import RunningGantry
from tests.support.small_disk import SmallDisk, small_disk
from tests.support.waiting import wait_until

DATA_MIB, ARCHIVE_MIB = 320, 4
NO_ROOM, DOWN = "No space left on device", "Postgres has ended by itself"
SEGMENTS = 24
"""More pieces of Postgres' log of changes (16 MiB) than fit on that disk."""
ARCHIVE = "from jobs.tasks import archive_logs; archive_logs()"


def data_folder_full(trial: Trial, *, seconds: float = 20.0, jobs: int = 10) -> Verdict:
    """The data folder has no room for so long, while jobs run, print and end, and one more is
    submitted. In every other trial Postgres cannot go on with its log of changes either, and
    goes down; in these the engine process is killed, too."""
    rng = random.Random(trial.seed)
    with small_disk(DATA_MIB) as disk:
        data_dir = disk.folder / "data"
        data_dir.mkdir(mode=0o700)
        with whole(data_dir=data_dir, aside=disk.aside) as on, ThreadPoolExecutor(1) as asking:
            for number in range(jobs):
                on.submit(number, lines=rng.choice([8, 40, round(seconds * 25)]))
            wait_until(lambda: _running(on), 60, "jobs run")
            disk.fill()
            until = time.monotonic() + seconds
            if trial.number % 2:
                _use_up(on.gantry, disk)
                on.kill("orchestrate")
            late = asking.submit(on.submit, jobs)
            _keep_full(disk, lambda: time.monotonic() >= until, seconds)
            ended = on.gantry.process.poll() is not None
            disk.free()
            begun = time.monotonic()
            late.result()
            wait_until(lambda: patient(InstanceSettings.objects.exists), 60, "Postgres is back")
            on.wait_for_end(END_SECONDS)
            took = round(time.monotonic() - begun, 1)
            said = on.gantry.output()
            went = said.count(DOWN)
            verdict = on.check(
                **{"longest until all ended s": took, "s full": seconds, "Postgres down": went}
            )
            if NO_ROOM not in said:
                verdict.broken.append("nobody said that there is no room")
            if trial.number % 2 and not went:
                verdict.broken.append("Postgres was to go down, and did not")
            if ended:
                verdict.broken.append("the supervisor ended")
            return verdict


def archive_full(trial: Trial, *, jobs: int = 8, tries: int = 3) -> Verdict:
    """The archive alone has no room: logs stay in the table, where they are served from, and
    each try to move them leaves nothing behind; they are moved when there is room."""
    with small_disk(ARCHIVE_MIB) as disk:
        data_dir = disk.aside / "data"
        data_dir.mkdir(mode=0o700)
        (data_dir / "archive").symlink_to(disk.folder)
        with whole(data_dir=data_dir, aside=disk.aside) as on:
            disk.fill()
            for number in range(jobs):
                on.submit(number)
            on.wait_for_end(END_SECONDS)
            broken = []
            for _ in range(tries):
                on.gantry.manage("shell", "-c", ARCHIVE)
                disk.fill()
            if Attempt.objects.filter(log_archived_seq__gt=0).exists():
                broken.append("a log was archived without room")
            served = on.check()
            disk.free()
            on.gantry.manage("shell", "-c", ARCHIVE)
            unknown = _unknown(disk.folder)
            if unknown:
                broken.append(f"files in the archive that no log knows of: {unknown}")
            if Attempt.objects.filter(log_archive=[]).exists():
                broken.append("a log was not archived when there was room")
            verdict = on.check(**{"blocks": len(_blocks())})
            return Verdict(verdict.figures, broken + served.broken + verdict.broken)


def _running(on: Whole) -> bool:
    ids = [one.job for one in on.asked]
    return Job.objects.filter(pk__in=ids, state=JobState.RUNNING).count() >= 3


def _keep_full(disk: SmallDisk, over: Callable[[], bool], seconds: float) -> None:
    """Take all room that somebody gives back, until it is over."""

    def filled() -> bool:
        disk.fill()
        return over()

    wait_until(filled, seconds + 60, "the disk was full for long enough")


def _use_up(gantry: RunningGantry, disk: SmallDisk) -> None:
    """Write as a busy Postgres does, until it has no piece of its log of changes left."""
    parts = urlsplit(gantry.database_url)
    word = (gantry.data_dir / "postgres_superuser_password").read_text().strip()
    host = parts.netloc.rpartition("@")[2]
    superuser = urlunsplit(parts._replace(netloc=f"postgres:{word}@{host}", path="/postgres"))
    with suppress(psycopg.Error), psycopg.connect(superuser, autocommit=True) as server:
        for _ in range(SEGMENTS):
            disk.fill()
            server.execute("SELECT pg_switch_wal(), pg_logical_emit_message(true, 'full', '')")


def _blocks() -> set[str]:
    """The paths of all archived blocks, by the index."""
    indexes = Attempt.objects.values_list("log_archive", flat=True)
    return {str(entry["path"]) for index in indexes for entry in index}


def _unknown(archive: Path) -> list[str]:
    """The files of the archive that are no log's."""
    files = {str(p.relative_to(archive)) for p in archive.rglob("*") if p.is_file()}
    return sorted(files - _blocks())


SCENARIOS = [
    Scenario("whole.data-folder-full", "docker", 6, data_folder_full),
    Scenario("whole.archive-full", "docker", 3, archive_full),
]
