"""`manage.py up` as a person uses it: one command, Ctrl-C, again."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from orchestrator.local.instance_lock import RECORD
from orchestrator.local.processes import ProcessMark
from providers.driver import LABEL_INSTANCE
from tests.support.container_starts import containers_of, engine_client
from tests.support.running import STOP_SECONDS, RunningGantry, running_gantry
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.docker, pytest.mark.usefixtures("docker_image")]

MOST_CONNECTIONS = 25


@pytest.fixture(scope="module")
def begun(docker_image: str) -> Iterator[RunningGantry]:
    """One instance for all tests of this file, which is told no password."""
    with running_gantry({"GANTRY_ADMIN_PASSWORD": ""}) as begun:
        begun.start()
        yield begun


@pytest.fixture
def gantry(begun: RunningGantry) -> RunningGantry:
    """It, running."""
    if begun.process.poll() is not None:
        begun.start()
    return begun


def _mark(gantry: RunningGantry, name: str) -> ProcessMark:
    mark = ProcessMark.of(gantry.pid_of(name))
    assert mark is not None, f"{name} lives"
    return mark


def _replaced(gantry: RunningGantry, before: ProcessMark, name: str) -> bool:
    recorded = json.loads((gantry.data_dir / RECORD).read_text())
    return name in recorded and recorded[name]["pid"] != before.pid


def _serves(gantry: RunningGantry) -> bool:
    try:
        return gantry.get("/ready")[0] == 200
    except OSError:
        return False


def test_a_first_start_tells_the_password_it_made(gantry: RunningGantry) -> None:
    assert gantry.output().count("First admin: admin with password") == 1


def test_the_first_page_asks_to_sign_in(gantry: RunningGantry) -> None:
    status, page = gantry.get("/")
    assert status == 200
    assert "csrfmiddlewaretoken" in page


def test_the_engine_of_this_machine_is_a_provider_with_its_size(gantry: RunningGantry) -> None:
    def found() -> bool:
        rows = gantry.ask("SELECT kind, found_cpu_millis, found_memory_mb FROM providers_provider")
        return [row[0] for row in rows] == ["docker"] and all(rows[0])

    wait_until(found, 20, "the discovered capacity")


def test_secret_files_are_for_their_owner_only(gantry: RunningGantry) -> None:
    for name in ("secret_key", "database_url", "postgres_password"):
        assert stat.S_IMODE((gantry.data_dir / name).stat().st_mode) == 0o600, name
    assert stat.S_IMODE(gantry.data_dir.stat().st_mode) & 0o007 == 0


def test_the_whole_of_it_keeps_to_its_connections(gantry: RunningGantry) -> None:
    for _ in range(3):
        gantry.get("/")
    rows = gantry.ask(
        "SELECT application_name, count(*) FROM pg_stat_activity "
        "WHERE usename = 'gantry' AND pid <> pg_backend_pid() GROUP BY 1"
    )
    counts = {str(name): int(str(count)) for name, count in rows}
    assert sum(counts.values()) <= MOST_CONNECTIONS, counts
    assert sum(count for name, count in counts.items() if "orchestrate" in name) <= 6, counts


def test_a_second_start_on_the_same_data_folder_is_refused(gantry: RunningGantry) -> None:
    second = RunningGantry(gantry.data_dir, gantry.port, {})
    second.launch()
    assert second.process.wait(30) == 1
    assert f"Gantry already runs on {gantry.data_dir}" in gantry.output()
    assert _serves(gantry)


def test_a_port_in_use_is_told_with_the_variable_to_set(gantry: RunningGantry) -> None:
    with running_gantry() as other:
        other.port = gantry.port
        other.launch()
        assert other.process.wait(30) == 1
        assert f"Port {gantry.port} on 127.0.0.1 is in use. Set GANTRY_PORT" in other.output()


@pytest.mark.parametrize("name", ["web", "orchestrate", "qcluster"])
def test_a_process_that_is_killed_comes_back(gantry: RunningGantry, name: str) -> None:
    before = _mark(gantry, name)
    os.kill(before.pid, signal.SIGKILL)
    wait_until(lambda: _replaced(gantry, before, name), 30, f"another {name}")
    assert not before.session(), "nobody of the old session is left"
    wait_until(lambda: _serves(gantry), 30, "the pages")


def test_backup_works_while_it_runs(gantry: RunningGantry, tmp_path: Path) -> None:
    gantry.manage("backup", str(tmp_path / "gantry.backup"))
    assert (tmp_path / "gantry.backup").stat().st_size > 1000


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_stop_signal_ends_all_of_it_in_time_and_a_later_start_makes_nothing_anew(
    gantry: RunningGantry, number: signal.Signals
) -> None:
    marks = [_mark(gantry, name) for name in ("web", "orchestrate", "qcluster")]
    before = time.monotonic()
    assert gantry.stop(number) == 0
    assert time.monotonic() - before <= STOP_SECONDS
    assert not any(mark.session() for mark in marks)
    assert not list(gantry.data_dir.glob("postgres/postmaster.pid")), "Postgres ended cleanly"
    told = len(gantry.output())
    gantry.start()
    assert gantry.get("/")[0] == 200
    again = gantry.output()[told:]
    assert not [
        word for word in ("migrations applied", "First admin", "Installing") if word in again
    ]


def test_after_up_itself_was_killed_the_next_start_begins_clean(gantry: RunningGantry) -> None:
    marks = [_mark(gantry, name) for name in ("web", "orchestrate", "qcluster")]
    gantry.process.kill()
    gantry.process.wait()
    gantry.start()
    assert not any(mark.session() for mark in marks)
    assert _serves(gantry)


def test_down_ends_what_up_started(gantry: RunningGantry) -> None:
    marks = [_mark(gantry, name) for name in ("web", "orchestrate", "qcluster")]
    assert "Gantry ended." in gantry.manage("down")
    assert gantry.process.wait(STOP_SECONDS) == 0
    assert not any(mark.session() for mark in marks)


def test_an_engine_that_was_named_and_does_not_answer_is_waited_for() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{nobody.getsockname()[1]}"
        with running_gantry({"DOCKER_HOST": address}) as other:
            other.start()
            assert f"DOCKER_HOST names {address}, which does not answer" in other.output()
            assert other.ask("SELECT kind FROM providers_provider") == [("docker",)]


def _fail_with_a_container_at_work(gantry: RunningGantry, image: str, instance: str) -> None:
    gantry.instances.add(instance)
    with closing(engine_client()) as client:
        labels = {LABEL_INSTANCE: instance}
        client.start(client.create_container(image, ["sleep", "600"], labels=labels))
    assert containers_of(instance) == [], "it is at work"


def test_what_runs_when_a_test_fails_goes_with_its_gantry(docker_image: str) -> None:
    mine = str(uuid.uuid4())
    with pytest.raises(AssertionError, match="at work"), running_gantry() as other:
        _fail_with_a_container_at_work(other, docker_image, mine)
    assert containers_of(mine) == []
