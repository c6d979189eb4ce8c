"""The process driver keeps the contract, and holds on to its processes whatever happens."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from providers.driver import ProviderConfig
from providers.drivers.process.driver import ProcessDriver
from tests.contract.driver_contract import DriverContract
from tests.contract.stage import ShellStage


class ProcessStage(ShellStage):
    race_rounds = 60
    race_window_seconds = 0.12

    def __init__(self, folder: Path) -> None:
        self.data_dir = folder / "data"
        marks = folder / "marks"
        marks.mkdir()
        super().__init__(marks)

    def build(self, instance: str = "", **options: object) -> ProcessDriver:
        config = ProviderConfig("here", instance or self.instance, options, str(self.data_dir))
        return ProcessDriver(config)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[ProcessStage]:
    stage = ProcessStage(tmp_path)
    yield stage
    stage.sweep()


class TestProcess(DriverContract):
    """The contract, over plain processes."""
