"""The Docker driver keeps the contract on a real engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from providers.driver import Mount, ProviderConfig
from providers.drivers.docker import DockerDriver
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


class TestDocker(DriverContract):
    """The contract, over the engine that this machine's environment names."""
