"""The Docker driver keeps the contract on a real engine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from providers.driver import Mount, ProviderConfig
from providers.drivers.docker import DockerDriver
from providers.drivers.docker.client import Engine
from providers.drivers.docker.events import killed_for_memory
from providers.drivers.docker.options import DockerOptions
from tests.contract.driver_contract import DriverContract
from tests.contract.stage import ShellStage

pytestmark = pytest.mark.docker


class DockerStage(ShellStage):
    shell = ("sh", "-c")
    marks_inside = "/marks"

    def __init__(self, marks: Path, image: str) -> None:
        self.image = image
        self.mark_mounts = (Mount(str(marks), self.marks_inside, read_only=False),)
        super().__init__(marks)

    def build(self, instance: str = "") -> DockerDriver:
        return DockerDriver(ProviderConfig("contract", instance or self.instance))


@pytest.fixture
def stage(tmp_path: Path, docker_image: str) -> Iterator[DockerStage]:
    stage = DockerStage(tmp_path, docker_image)
    yield stage
    stage.sweep()


@pytest.mark.parametrize(
    ("script", "stopped", "lacked"),
    [("exec tail /dev/zero", False, True), ("kill -9 $$", False, False), ("sleep 99", True, False)],
)
def test_the_events_of_an_engine_tell_a_kill_for_memory_from_others(
    stage: DockerStage, script: str, stopped: bool, lacked: bool
) -> None:
    handle = stage.start(stage.script(script), memory_mb=16)
    if stopped:
        stage.driver.stop(handle, 0)
    seen = stage.ended(handle)
    assert (seen.exit_code, seen.oom_killed) == (137, lacked)
    assert seen.finished_at
    with closing(Engine(DockerOptions())) as engine:
        assert killed_for_memory(engine, handle["id"], seen.finished_at) is lacked


class TestDocker(DriverContract):
    """The contract, over the engine that this machine's environment names."""
