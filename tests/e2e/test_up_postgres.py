"""The embedded Postgres dies under a running Gantry, which brings it back."""

from __future__ import annotations

import os
import signal
import urllib.error

import pytest

from tests.support.running import RunningGantry, running_gantry
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.docker, pytest.mark.usefixtures("docker_image")]


def ready(gantry: RunningGantry) -> bool:
    try:
        return gantry.get("/ready")[0] == 200
    except (urllib.error.URLError, OSError):
        return False


def test_a_postgres_that_is_killed_comes_back_and_a_stop_still_ends_it() -> None:
    with running_gantry() as gantry:
        gantry.start()
        (record,) = gantry.data_dir.glob("postgres/postmaster.pid")
        before = int(record.read_text().split()[0])
        os.kill(before, signal.SIGKILL)
        wait_until(lambda: "Postgres is back." in gantry.output(), 60, "another Postgres")
        wait_until(lambda: ready(gantry), 60, "the pages")
        assert int(record.read_text().split()[0]) != before
        held = "SELECT 1 FROM providers_lease WHERE expires_at > now() AND name = 'scheduler'"
        wait_until(lambda: gantry.ask(held), 60, "the engine process goes on")
        gantry.process.terminate()
        assert gantry.process.wait(60) == 0
        assert not record.exists(), "Postgres ended with it"
