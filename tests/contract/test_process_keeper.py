"""Processes of a run: found again, ended with it, and never mistaken for another's."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from providers.driver import Handle, Rejected, RunState, Stream
from providers.drivers.process import cgroup, tree
from providers.drivers.process.identity import Identity, Stat, read_stat
from providers.drivers.process.run import Run
from tests.contract.process_stage import ProcessStage, is_running, left_of
from tests.contract.stage import DEADLINE, READY, read
from tests.support.waiting import wait_until


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[ProcessStage]:
    stage = ProcessStage(tmp_path)
    yield stage
    stage.sweep()


STARTER = """
import json, os, sys
from providers.driver import ProviderConfig, RunSpec
from providers.drivers.process.driver import ProcessDriver

data_dir, instance, uid, script = sys.argv[1:]
driver = ProcessDriver(ProviderConfig("here", instance, data_dir=data_dir))
handle = driver.create(
    RunSpec(instance, 1, 1, uid, 1, "x", "x", entrypoint=("/bin/sh", "-c", script))
)
driver.start(handle)
print(json.dumps(handle), flush=True)
os.kill(os.getpid(), 9)
"""


def test_a_run_outlives_the_process_that_started_it(stage: ProcessStage) -> None:
    script = "i=1; while [ $i -le 20 ]; do echo line $i; sleep 0.05; i=$((i+1)); done; exit 7"
    uid = stage.spec(stage.sleeping()).uid

    starter = subprocess.run(
        [sys.executable, "-c", STARTER, str(stage.data_dir), stage.instance, uid, script],
        stdout=subprocess.PIPE,
        check=False,
        timeout=DEADLINE,
    )

    assert starter.returncode == -signal.SIGKILL
    handle = json.loads(starter.stdout)
    assert [owned.uid for owned in stage.driver.list_owned()] == [uid]
    output = read(stage.driver.logs(handle, None, follow=True)).text(Stream.STDOUT)
    assert output == b"".join(b"line %d\n" % n for n in range(1, 21))
    assert stage.ended(handle).exit_code == 7


def test_a_program_does_not_outlive_its_keeper_and_the_end_is_told_honestly(
    stage: ProcessStage,
) -> None:
    handle = stage.start(stage.script("sleep 600 & echo $!; echo $$; wait"))
    child, program = stage.pids(handle, 2)

    os.kill(stage.keeper(handle), signal.SIGKILL)

    seen = stage.ended(handle)
    assert (seen.exit_code, seen.oom_killed, seen.could_not_start) == (None, False, False)
    assert "keeper was killed" in seen.error
    assert seen.started_at is not None
    assert seen.finished_at is not None
    assert not is_running(program)
    assert not is_running(child)
    assert stage.driver.observe(handle) == seen
    stage.driver.remove(handle, force=False)


def test_a_reader_of_a_killed_keepers_run_ends_and_is_told_of_the_loss_once(
    stage: ProcessStage,
) -> None:
    handle = stage.start_ready(stage.sleeping())
    stream = stage.driver.logs(handle, None, follow=True)

    os.kill(stage.keeper(handle), signal.SIGKILL)
    reading = read(stream)

    assert reading.text(Stream.STDOUT) == READY
    assert [bool(batch.gap) for batch in reading.batches] == [False, True]
    again = read(stage.driver.logs(handle, reading.batches[-1].cursor, follow=True))
    assert again.batches == []


@pytest.mark.parametrize("group", [True, False])
@pytest.mark.parametrize("end", ["the program ends", "stop", "remove", "the keeper is killed"])
def test_with_the_program_goes_what_it_left_behind(
    stage: ProcessStage, end: str, group: bool
) -> None:
    # A daemon: its own session, its parent gone, output elsewhere, deaf to SIGTERM.
    daemon = "(trap '' TERM; setsid sh -c 'echo $$; exec >/dev/null 2>&1; sleep 600' &)"
    rest = "sleep 0.3" if end == "the program ends" else "sleep 600"
    stage.driver = stage.build(cgroup=group)
    handle = stage.start(stage.script(f"{daemon}; {rest}"))
    (pid,) = stage.pids(handle, 1)
    assert is_running(pid)

    if end == "stop":
        stage.driver.stop(handle, 5)
    if end == "the keeper is killed":
        os.kill(stage.keeper(handle), signal.SIGKILL)
    if end == "remove":
        stage.driver.remove(handle, force=True)
    else:
        stage.ended(handle)

    assert not is_running(pid)
    assert left_of(handle) == []


def test_a_daemon_that_holds_the_output_open_does_not_hold_up_the_end(stage: ProcessStage) -> None:
    handle = stage.start(stage.script("setsid sleep 600 & echo here; exit 3"))

    begun = time.monotonic()
    assert stage.ended(handle).exit_code == 3

    assert time.monotonic() - begun < 5
    assert read(stage.driver.logs(handle, None, follow=True)).text(Stream.STDOUT) == b"here\n"


def test_output_written_right_before_the_end_is_all_there(stage: ProcessStage) -> None:
    handle = stage.start(stage.script("head -c 3000000 /dev/zero; exit 0"))

    frames = read(stage.driver.logs(handle, None, follow=True)).frames

    assert sum(len(frame.data) for frame in frames) == 3_000_000


def test_a_pid_that_came_back_is_not_the_keeper(stage: ProcessStage) -> None:
    me = Identity.of_this_process()
    assert me.is_alive()
    assert not Identity(me.boot, me.pid, me.ticks - 1).is_alive()
    assert not Identity("another boot", me.pid, me.ticks).is_alive()

    handle = stage.create(stage.sleeping())
    stranger = Identity(me.boot, me.pid, me.ticks - 1).to_json()
    claim = {"by": "start", "keeper": stranger}
    (stage.folder(handle) / "claim").write_text(json.dumps(claim))

    assert stage.driver.observe(handle).state is RunState.EXITED
    stage.driver.stop(handle, 0)
    stage.driver.remove(handle, force=True)  # and this process is still here to say so


def test_a_signal_meant_for_an_earlier_process_of_that_pid_is_not_sent() -> None:
    with subprocess.Popen(["sleep", "600"]) as child:
        stat = read_stat(child.pid)
        assert stat is not None
        earlier = Stat(parent=stat.parent, ticks=stat.ticks - 1, is_dead=False)

        tree.send({child.pid: earlier}, signal.SIGKILL)
        tree.send({child.pid: stat}, signal.SIGTERM)

        assert child.wait(DEADLINE) == -signal.SIGTERM


def test_a_run_of_before_a_reboot_has_ended_with_it(stage: ProcessStage) -> None:
    handle = stage.create(stage.sleeping())
    claim = {"by": "start", "keeper": ["an earlier boot", os.getpid(), 1]}
    (stage.folder(handle) / "claim").write_text(json.dumps(claim))

    seen = stage.driver.observe(handle)

    assert (seen.state, seen.exit_code) == (RunState.EXITED, None)
    assert "restarted" in seen.error


def test_from_the_fence_on_nothing_can_start(stage: ProcessStage) -> None:
    handle = stage.create(stage.counted())

    assert run_of(stage, handle).fence()

    with pytest.raises(Rejected):
        stage.driver.start(handle)
    assert stage.times_run(str(handle["uid"])) == 0


def test_from_the_start_on_nothing_can_fence(stage: ProcessStage) -> None:
    handle = stage.start_ready(stage.sleeping())

    assert not run_of(stage, handle).fence()

    assert stage.driver.observe(handle).state is RunState.RUNNING


def test_a_fence_whose_removal_was_interrupted_still_holds(stage: ProcessStage) -> None:
    handle = stage.create(stage.counted())
    (stage.folder(handle) / "claim").write_text('{"by": "fence"}')

    with pytest.raises(Rejected) as refusal:
        stage.driver.start(handle)

    assert refusal.value.reason == "removed_outside"
    assert stage.driver.observe(handle).state is RunState.CREATED
    assert stage.times_run(str(handle["uid"])) == 0
    stage.driver.remove(handle, force=False)
    assert stage.driver.observe(handle).state is RunState.GONE


def test_an_interrupted_deletion_is_finished_by_the_next_look(stage: ProcessStage) -> None:
    handle = stage.create(stage.sleeping())
    folder = stage.folder(handle)
    folder.rename(folder.with_name(f".gone-{folder.name}-x"))

    assert list(stage.driver.list_owned()) == []

    assert list(folder.parent.iterdir()) == []


def test_runs_leave_no_cgroup_behind(stage: ProcessStage) -> None:
    ended = stage.run(stage.script("true"))
    killed = stage.start_ready(stage.sleeping())
    assert len(groups_of(killed)) == (1 if cgroup.parent_path() else 0)
    os.kill(stage.keeper(killed), signal.SIGKILL)
    stage.ended(killed)

    wait_until(lambda: not groups_of(ended, killed), DEADLINE, "no cgroup is left")


def run_of(stage: ProcessStage, handle: Handle) -> Run:
    return Run(str(stage.folder(handle).parent), str(handle["uid"]))


def groups_of(*handles: Handle) -> list[Path]:
    paths = [Path(f"{cgroup.parent_path()}/gantry-{handle['uid']}") for handle in handles]
    return [path for path in paths if path.exists()]
