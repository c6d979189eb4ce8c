"""Contract: what is there is found again, by whoever asks, and only one's own is touched."""

from __future__ import annotations

import threading
import uuid
from datetime import UTC, datetime
from pathlib import Path

from providers.driver import RunState, Stream
from tests.contract.stage import DEADLINE, Stage, read
from tests.support.waiting import wait_until

RUNS = 10


class OwnershipContract:
    def test_the_list_shows_all_that_is_there_with_its_labels(self, stage: Stage) -> None:
        program = stage.printing((Stream.STDOUT, b"here\n"), exit_code=3)
        created = stage.spec(stage.sleeping(), job=11, attempt=1, term=5)
        running = stage.spec(stage.sleeping(), job=12, attempt=2, term=6)
        exited = stage.spec(program, job=13, attempt=3, term=7)
        handles = {spec.uid: stage.driver.create(spec) for spec in (created, running, exited)}
        for spec in (running, exited):
            stage.driver.start(handles[spec.uid])
        stage.ended(handles[exited.uid])

        owned = {one.uid: one for one in stage.build().list_owned()}

        states = {uid: one.state for uid, one in owned.items()}
        assert states == {
            created.uid: RunState.CREATED,
            running.uid: RunState.RUNNING,
            exited.uid: RunState.EXITED,
        }
        assert stage.driver.observe(owned[exited.uid].handle).exit_code == 3
        for spec in (created, running, exited):
            one = owned[spec.uid]
            assert (one.instance, one.job, one.attempt, one.term) == (
                spec.instance,
                spec.job,
                spec.attempt,
                spec.term,
            )
            assert one.handle == handles[spec.uid]
            assert one.created_at is not None
            assert abs((datetime.now(UTC) - one.created_at).total_seconds()) < 60

    def test_another_gantry_on_the_same_provider_sees_none_of_it(self, stage: Stage) -> None:
        stage.create(stage.sleeping())
        stranger = f"contract-{uuid.uuid4()}"

        assert list(stage.build(stranger).list_owned()) == []
        assert len(stage.driver.list_owned()) == 1

    def test_a_new_driver_adopts_what_runs(self, stage: Stage) -> None:
        handle = stage.start_ready(stage.answering_term(b"goodbye\n"))
        stage.driver.close()

        heir = stage.build()

        (found,) = heir.list_owned()
        assert found.state is RunState.RUNNING
        assert found.handle == handle
        heir.stop(found.handle, 10)
        assert heir.observe(handle).exit_code == 0
        output = read(heir.logs(handle, None, follow=True)).text(Stream.STDOUT)
        assert output == b"ready\ngoodbye\n"
        heir.remove(handle, force=False)
        assert list(heir.list_owned()) == []

    def test_closing_a_driver_leaves_what_runs_running(self, stage: Stage) -> None:
        handle = stage.start_ready(stage.sleeping())

        stage.driver.close()

        assert stage.build().observe(handle).state is RunState.RUNNING

    def test_runs_leave_no_thread_and_no_open_file_behind(self, stage: Stage) -> None:
        def one_run() -> None:
            handle = stage.start(stage.printing((Stream.STDOUT, b"here\n")))
            read(stage.driver.logs(handle, None, follow=True))
            stage.ended(handle)
            stage.driver.list_owned()
            stage.driver.probe()
            stage.driver.stop(handle, 1)
            stage.driver.remove(handle, force=False)

        one_run()  # what is kept on purpose, such as a pool of connections, is open after this
        files, threads = open_files(), threading.active_count()

        for _ in range(RUNS):
            one_run()

        wait_until(lambda: open_files() <= files, DEADLINE, "no more open files than before")
        wait_until(lambda: threading.active_count() <= threads, DEADLINE, "no more threads")


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))
