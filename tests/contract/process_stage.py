"""The stage of the process driver, and looks behind it that only its own tests need."""

from __future__ import annotations

import json
from pathlib import Path

from providers.driver import Handle, ProviderConfig, Stream
from providers.drivers.process import tree
from providers.drivers.process.driver import ProcessDriver
from providers.drivers.process.identity import read_stat
from tests.contract.stage import DEADLINE, Program, ShellStage, read
from tests.support.waiting import wait_until


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

    def folder(self, handle: Handle) -> Path:
        return self.data_dir / "process" / str(handle["uid"])

    def keeper(self, handle: Handle) -> int:
        """The pid of the run's keeper."""
        pid = json.loads((self.folder(handle) / "claim").read_text())["keeper"][1]
        assert isinstance(pid, int)
        return pid

    def start_and_end(self, program: Program, **changes: object) -> Handle:
        handle = self.start(program, **changes)
        self.ended(handle)
        return handle

    def output(self, program: Program, **changes: object) -> bytes:
        """Run it to its end: what it said on stdout."""
        handle = self.start_and_end(program, **changes)
        return read(self.driver.logs(handle, None, follow=False)).text(Stream.STDOUT)

    def pids(self, handle: Handle, count: int) -> list[int]:
        """The pids that the program prints, one in a line, once there are that many."""

        def printed() -> list[int]:
            text = read(self.driver.logs(handle, None, follow=False)).text(Stream.STDOUT)
            found = [int(line) for line in text.split(b"\n")[:-1]]
            return found if len(found) >= count else []

        return wait_until(printed, DEADLINE, f"{count} pids are printed")


def is_running(pid: int) -> bool:
    stat = read_stat(pid)
    return stat is not None and not stat.is_dead


def left_of(handle: Handle) -> list[int]:
    """The processes that still carry the cookie of this run."""
    return sorted(tree.with_cookie(str(handle["uid"])))
