"""The real qcluster does what was put into its queue, and ends whole when it is told to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.db import connection
from django_q.models import Task
from django_q.tasks import async_task

from jobs.log.archive import archived_chunks
from jobs.models import Attempt, LogChunk
from orchestrator.local.processes import ProcessMark, kill_session
from providers.models import HealthSample
from tests.support.attempts import make_attempt
from tests.support.instance import TestInstance
from tests.support.log_rows import append, lines
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]
ROOT = Path(__file__).resolve().parents[2]
Cluster = tuple[subprocess.Popen[bytes], ProcessMark]


@pytest.fixture
def qcluster(instance: TestInstance) -> Iterator[Cluster]:
    """A qcluster on the test database, in a session of its own."""
    address = urlsplit(instance.environment["DATABASE_URL"])
    name = connection.settings_dict["NAME"]
    own = {"DATABASE_URL": address._replace(path=f"/{name}").geturl()}
    process = subprocess.Popen(
        [sys.executable, "manage.py", "qcluster"],
        cwd=ROOT,
        env=os.environ | instance.environment | own,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    mark = ProcessMark.of_child(process.pid)
    try:
        yield process, mark
    finally:
        kill_session(mark)
        process.wait(10)


def test_it_archives_samples_and_ends_at_once(qcluster: Cluster) -> None:
    process, cluster = qcluster
    attempt = make_attempt(phase="ended")
    append(attempt, lines(1, 100))
    async_task("jobs.tasks.archive_logs")
    async_task("jobs.tasks.sample_providers")
    wait_until(lambda: Task.objects.count() == 2, 60, "both sweeps have run")
    assert [task.result for task in Task.objects.filter(success=False)] == []
    assert HealthSample.objects.filter(provider=attempt.provider).count() == 1
    assert not LogChunk.objects.exists()
    assert len(list(archived_chunks(Attempt.objects.get(pk=attempt.pk)))) == 1
    assert len(cluster.session()) == 5
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    wait_until(lambda: not cluster.session(), 5, "all of its processes are gone")
