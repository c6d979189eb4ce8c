"""What `up` decides before it starts anything."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from orchestrator.local import docker_engine, image, one_machine
from orchestrator.local.apt import AptFailed
from orchestrator.local.docker_engine import EngineSilent, EngineUnavailable
from orchestrator.local.instance_lock import AlreadyRunning, InstanceLock, holder
from orchestrator.local.one_machine import CannotStart, OneMachine, check_port
from orchestrator.local.prefixed_output import PrefixedOutput
from providers.driver import Health, Probe


def _prepare(
    monkeypatch: pytest.MonkeyPatch, answer: Probe | Exception, tmp_path: Path
) -> tuple[str, str]:
    """The provider kind that `up` settles for, and what it says, when the engine answers so."""

    def ensure(*_: object) -> Probe:
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(docker_engine, "ensure_engine", ensure)
    monkeypatch.setattr(one_machine, "ensure_image", lambda name: True)
    heard = io.StringIO()
    machine = OneMachine(tmp_path, "127.0.0.1", 8000, "http://localhost:8000", "")
    return machine._prepare_engine(PrefixedOutput(heard, [])), heard.getvalue()


def test_a_knob_that_makes_no_sense_stops_every_command_with_one_line(tmp_path: Path) -> None:
    knobs = os.environ | {"GANTRY_PORT": "abc", "GANTRY_DATA": str(tmp_path)}
    command = [sys.executable, str(one_machine.MANAGE), "up"]
    done = subprocess.run(command, env=knobs, capture_output=True, text=True, timeout=60)
    said = (done.returncode, done.stdout, done.stderr)
    assert said == (1, "", "GANTRY_PORT='abc' is not a number\n")


def test_an_engine_that_answers_is_named_with_its_size(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    probe = Probe(Health.HEALTHY, version="24.0", cpu_cores=4.0, memory_mb=8000)
    kind, said = _prepare(monkeypatch, probe, tmp_path)
    assert kind == "docker"
    assert "Docker engine 24.0: 4 cores, 8000 MiB." in said
    assert "gantry/hello:latest imported" in said


@pytest.mark.parametrize("error", [EngineUnavailable("not root"), AptFailed("no network")])
def test_without_any_engine_jobs_are_plain_processes_and_it_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception
) -> None:
    kind, said = _prepare(monkeypatch, error, tmp_path)
    assert kind == "process"
    assert f"No Docker engine: {error}." in said
    assert "WITHOUT isolation" in said


def test_a_named_engine_that_is_silent_is_never_replaced_by_plain_processes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kind, said = _prepare(monkeypatch, EngineSilent("tcp://away is silent"), tmp_path)
    assert kind == "docker"
    assert "Jobs wait until it does" in said


def test_a_port_in_use_is_told_with_the_variable_to_set() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(CannotStart, match=f"Port {port} on 127.0.0.1 is in use. Set GANTRY_P"):
            check_port("127.0.0.1", port)
    check_port("127.0.0.1", port)


def test_an_address_of_another_machine_is_told_with_the_variable_to_set() -> None:
    with pytest.raises(CannotStart, match="Set GANTRY_BIND to an address of this machine"):
        check_port("192.0.2.1", 8000)


def test_one_data_folder_has_one_holder(tmp_path: Path) -> None:
    first, second = InstanceLock(tmp_path), InstanceLock(tmp_path)
    first.acquire()
    assert holder(tmp_path) is not None
    with pytest.raises(AlreadyRunning, match="Set GANTRY_DATA to another folder"):
        second.acquire()
    first.release()
    second.acquire()
    second.release()


def test_the_image_is_the_same_each_time_and_has_a_shell_and_users() -> None:
    content = image.busybox_root()
    assert content == image.busybox_root()
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        assert tar.getmember("bin/sh").linkname == "busybox"
        assert tar.getmember("tmp").mode == 0o1777
        passwd = tar.extractfile("etc/passwd")
        assert passwd is not None
        assert b"nobody:x:65534" in passwd.read()
