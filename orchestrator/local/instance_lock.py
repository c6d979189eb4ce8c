"""One `up` per data folder, and the tidy-up after one that was killed.

The lock belongs to the kernel: it is gone when its holder is, however that ended. Who
ran below the holder is written down beside it, so that the next start can end them.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TextIO

from orchestrator.local.processes import ProcessMark, end_sessions

LOCK = "up.lock"
RECORD = "up.json"


class AlreadyRunning(RuntimeError):
    """Another `up` works on this data folder."""

    def __init__(self, data_dir: Path, holder: ProcessMark | None) -> None:
        who = f" (process {holder.pid})" if holder else ""
        super().__init__(
            f"Gantry already runs on {data_dir}{who}. "
            "Set GANTRY_DATA to another folder for a second instance, or end this one: make down"
        )


class InstanceLock:
    """Held by `up` while it runs."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._file: TextIO | None = None

    def acquire(self) -> None:
        """Take the lock and note that it is ours. Raises AlreadyRunning."""
        file = (self._data_dir / LOCK).open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise AlreadyRunning(self._data_dir, holder(self._data_dir)) from None
        self._file = file
        file.seek(0)
        file.truncate()
        json.dump(asdict(_own_mark()), file)
        file.flush()

    def record(self, marks: Mapping[str, ProcessMark]) -> None:
        """Write down who runs below us now; replaced at once, never half written."""
        path = self._data_dir / RECORD
        making = path.with_suffix(".part")
        making.write_text(json.dumps({name: asdict(mark) for name, mark in marks.items()}))
        making.replace(path)

    def release(self) -> None:
        """Give the lock back."""
        if self._file is not None:
            self._file.close()
            self._file = None


def holder(data_dir: Path) -> ProcessMark | None:
    """The `up` that runs on this data folder now, if one does."""
    try:
        mark = ProcessMark(**json.loads((data_dir / LOCK).read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None
    return mark if mark.alive() else None


def end_leftovers(data_dir: Path, grace_seconds: float) -> list[str]:
    """End what a killed `up` left running; the names of what was found.

    For the holder of the lock only: these would otherwise be its own processes.
    """
    try:
        recorded = json.loads((data_dir / RECORD).read_text())
        marks = {name: ProcessMark(**fields) for name, fields in recorded.items()}
    except (FileNotFoundError, ValueError, TypeError, AttributeError):
        return []
    left = {name: mark for name, mark in marks.items() if mark.session()}
    end_sessions(list(left.values()), grace_seconds)
    (data_dir / RECORD).unlink()
    return sorted(left)


def _own_mark() -> ProcessMark:
    mark = ProcessMark.of(os.getpid())
    assert mark is not None, "this process lives"
    return mark
