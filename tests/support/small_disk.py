"""A small disk: a folder with so much room and no more, to be filled up and freed again.

It is kept in memory and mounted, so it needs root, as an engine of the suite's own does.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX = "gantry-disk-"
FILLER = "filler"
BLOCKS = (b"\0" * 65536, b"\0" * 4096)


class SmallDisk:
    """The disk is mounted at `folder`; what is to have room lies `aside`."""

    def __init__(self, aside: Path) -> None:
        self.aside = aside
        self.folder = aside / "disk"

    def fill(self) -> None:
        """Leave no room; what was freed since the last time is taken, too."""
        for block in BLOCKS:
            with (self.folder / FILLER).open("ab", buffering=0) as filler:
                try:
                    while filler.write(block) == len(block):
                        pass
                except OSError:
                    continue

    def free(self) -> None:
        """Undo `fill`."""
        (self.folder / FILLER).unlink()


@contextmanager
def small_disk(mib: int) -> Iterator[SmallDisk]:
    """A disk of so many MiB, of which nothing is left behind."""
    _sweep_leftovers()
    disk = SmallDisk(Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-")))
    disk.aside.chmod(0o711)  # the account of a Postgres passes through
    disk.folder.mkdir()
    size = f"size={mib}m,mode=0711"
    try:
        subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", disk.folder], check=True)
        yield disk
    finally:
        _delete(disk.aside)


def _delete(aside: Path) -> None:
    disk = SmallDisk(aside)
    if disk.folder.is_mount():
        subprocess.run(["umount", "--lazy", disk.folder], check=True)
    shutil.rmtree(aside)


def _sweep_leftovers() -> None:
    """What a killed run left."""
    for aside in Path(tempfile.gettempdir()).glob(f"{PREFIX}[0-9]*-*"):
        owner = aside.name.removeprefix(PREFIX).partition("-")[0]
        if not Path(f"/proc/{owner}").exists():
            _delete(aside)
