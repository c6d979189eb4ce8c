"""The process driver keeps the contract, and gives a program what it says and no more."""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from providers.driver import Health, Mount, ProviderConfig, Rejected, RunState, Stream
from providers.drivers.process.driver import ProcessDriver
from tests.contract.driver_contract import DriverContract
from tests.contract.process_stage import ProcessStage
from tests.contract.stage import Program, read


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[ProcessStage]:
    stage = ProcessStage(tmp_path)
    yield stage
    stage.sweep()


class TestProcess(DriverContract):
    """The contract, over plain processes."""


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"entrypoint": ()}, "needs a command"),
        ({"entrypoint": (), "args": ("true",)}, "needs a command"),
        ({"network": "none"}, "network"),
        ({"profile": "restricted"}, "restricted"),
        ({"gpus": 1}, "GPU"),
        ({"mounts": (Mount("/tmp", "/mnt"),)}, "mounted"),
        ({"user": "nobody-here"}, "nobody-here"),
        ({"user": "root:nobody-here"}, "nobody-here"),
        ({"args": ("a\0b",)}, "NUL"),
        ({"env": {"A": "\0"}}, "NUL"),
        ({"env": {"A=B": "c"}}, "A=B"),
        ({"args": ("\ud800",)}, "Unicode"),
        ({"uid": "../escape"}, "id"),
    ],
)
def test_what_a_process_cannot_be_given_is_refused_in_words(
    stage: ProcessStage, changes: dict[str, object], words: str
) -> None:
    with pytest.raises(Rejected, match=words) as refusal:
        stage.create(Program(("/bin/true",)), **changes)

    assert refusal.value.reason == "rejected"
    assert list(stage.driver.list_owned()) == []


def test_the_environment_is_the_jobs_own_and_little_more(
    stage: ProcessStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GANTRY_SECRET_KEY", "not for jobs")
    spec = stage.spec(stage.script("env"), env={"A": "grüße", "EMPTY": ""})

    handle = stage.driver.create(spec)
    stage.driver.start(handle)
    stage.ended(handle)
    output = read(stage.driver.logs(handle, None, follow=False)).text(Stream.STDOUT).decode()

    said = dict(line.split("=", 1) for line in output.splitlines())
    assert (said.pop("A"), said.pop("EMPTY")) == ("grüße", "")
    assert said.pop("GANTRY_ATTEMPT_UID") == spec.uid
    assert said.pop("HOME") == str(stage.folder(handle) / "work")
    assert set(said) <= {"PATH", "PWD", "_", "SHLVL", "OLDPWD"}


def test_a_program_works_in_its_own_folder_or_where_it_is_told(stage: ProcessStage) -> None:
    handle = stage.run(stage.script("pwd"))
    own = read(stage.driver.logs(handle, None, follow=False)).text(Stream.STDOUT)

    assert own.decode() == f"{stage.folder(handle)}/work\n"
    assert stage.output(stage.script("pwd"), working_dir="/usr") == b"/usr\n"


def test_a_program_reads_nothing_and_cannot_wait_for_a_terminal(stage: ProcessStage) -> None:
    assert stage.output(stage.script("cat; echo end; tty")) == b"end\nnot a tty\n"


@pytest.mark.parametrize(
    ("entrypoint", "changes", "code", "words"),
    [
        (("no-such-program",), {}, 127, "execute no-such-program"),
        (("/etc",), {}, 126, "execute /etc"),
        (("/etc/passwd",), {}, 126, "execute /etc/passwd"),
        (("/bin/true",), {"working_dir": "/no/such/folder"}, 127, "/no/such/folder"),
        (("/bin/true", "x" * 200_000), {}, 126, "too long"),
    ],
)
def test_a_program_that_cannot_be_executed_says_why(
    stage: ProcessStage,
    entrypoint: tuple[str, ...],
    changes: dict[str, object],
    code: int,
    words: str,
) -> None:
    handle = stage.create(Program(entrypoint), **changes)

    with pytest.raises(Rejected, match=words) as refusal:
        stage.driver.start(handle)

    seen = stage.driver.observe(handle)
    assert refusal.value.reason == "could_not_start"
    assert (seen.state, seen.exit_code, seen.could_not_start) == (RunState.EXITED, code, True)
    assert words in seen.error


def test_death_by_a_signal_is_told_as_shells_tell_it(stage: ProcessStage) -> None:
    handle = stage.run(stage.script("kill -SEGV $$"))

    assert stage.driver.observe(handle).exit_code == 128 + 11


def test_a_process_that_wants_more_memory_than_it_may_is_refused_it(stage: ProcessStage) -> None:
    hungry = stage.script("head -c 200m /dev/zero | tail -n 1 > /dev/null")

    assert stage.driver.observe(stage.start_and_end(hungry, memory_mb=64)).exit_code == 1
    assert stage.driver.observe(stage.start_and_end(hungry, memory_mb=1024)).exit_code == 0


def test_another_user_is_for_root_to_give(stage: ProcessStage) -> None:
    program = stage.script("id -u; id -g; pwd; echo $HOME")
    nobody = pwd.getpwnam("nobody")

    if os.geteuid() == 0:
        for user in ("nobody", str(nobody.pw_uid), f"nobody:{nobody.pw_gid}"):
            output = stage.output(program, user=user).decode().split("\n")
            assert output[:2] == [str(nobody.pw_uid), str(nobody.pw_gid)]
            assert output[2] == "/"
    else:
        with pytest.raises(Rejected, match="root"):
            stage.create(program, user="nobody")


def test_secrets_are_private_and_off_the_disk_once_the_program_runs(stage: ProcessStage) -> None:
    handle = stage.create(stage.sleeping(), env={"PASSWORD": "hunter2-canary"})
    folder = stage.folder(handle)
    modes = {stat.S_IMODE(path.stat().st_mode) & 0o077 for path in folder.rglob("*")}
    assert modes == {0}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700

    stage.driver.start(handle)

    kept = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert b"hunter2-canary" not in kept


def test_the_probe_says_what_does_not_hold(stage: ProcessStage) -> None:
    probe = stage.driver.probe()

    assert probe.facts["isolation"].startswith("none")
    assert probe.facts["cpu limit"] == "not enforced"
    assert probe.disk_free_bytes is not None
    assert probe.disk_total_bytes is not None
    assert 0 < probe.disk_free_bytes <= probe.disk_total_bytes


def test_a_data_folder_that_is_none_is_an_unreachable_provider(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    probe = ProcessDriver(ProviderConfig("here", "x", data_dir=str(tmp_path / "file"))).probe()

    assert probe.health is Health.UNREACHABLE
    assert probe.detail
    with pytest.raises(Rejected, match="data folder"):
        ProcessDriver(ProviderConfig("here", "x"))
