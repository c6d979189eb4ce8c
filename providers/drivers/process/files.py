"""The files of a run's folder, and how they are written: whole or not at all."""

from __future__ import annotations

import json
import os

RUN = "run.json"
"""The labels and the time of creation."""
LAUNCH = "launch.json"
"""What to execute, secrets included; deleted as soon as the keeper has read it."""
CLAIM = "claim"
"""Who won this run, for ever: its keeper (it may start the program) or a fence (nobody may)."""
STARTED = "started.json"
ENDED = "ended.json"
WORK = "work"
"""The program's own folder, its working directory unless the job names one."""


def read_json(path: str) -> dict[str, object] | None:
    """The file's object; None when it is missing or was cut short by a crash of the machine."""
    try:
        with open(path, encoding="utf-8") as file:
            data = json.load(file)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return data if isinstance(data, dict) else None


def write_json(path: str, data: dict[str, object]) -> None:
    """Put the object there in one step, in place of what was there."""
    draft = _draft(path, data)
    os.replace(draft, path)


def claim_json(path: str, data: dict[str, object]) -> bool:
    """Put the object there if nothing is there; false when somebody else was first.

    A hard link is as exclusive as O_EXCL, and the file has its content from the first
    moment. Raises FileNotFoundError when the folder is gone.
    """
    draft = _draft(path, data)
    try:
        os.link(draft, path)
    except FileExistsError:
        return False
    finally:
        os.unlink(draft)
    return True


def _draft(path: str, data: dict[str, object]) -> str:
    draft = f"{path}.{os.getpid()}.{os.urandom(4).hex()}"
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            json.dump(data, file)
    except OSError:
        os.unlink(draft)
        raise
    return draft
