"""A cgroup (v2) per run, where this process may make one: nothing escapes it by forking.

It only holds the processes together; limits are not set here, because that needs
controllers which a machine without an engine seldom hands out.
"""

from __future__ import annotations

import os
from contextlib import suppress

from providers.drivers.process.identity import Stat, read_stat


def parent_path() -> str:
    """Our own cgroup's folder, under which one may be made; "" where that is not so."""
    try:
        with open("/proc/self/mountinfo", encoding="utf-8") as file:
            mounts = [line.split() for line in file]
        with open("/proc/self/cgroup", encoding="utf-8") as file:
            groups = [line.rstrip("\n") for line in file]
    except OSError:
        return ""
    mounted = [fields[4] for fields in mounts if fields[fields.index("-") + 1] == "cgroup2"]
    own = [line.removeprefix("0::") for line in groups if line.startswith("0::")]
    if not mounted or not own:
        return ""
    path = os.path.normpath(mounted[0] + own[0])
    return path if os.access(path, os.W_OK) else ""


def make(uid: str) -> str:
    """The folder of a new cgroup for this run, or "" when there can be none."""
    parent = parent_path()
    path = f"{parent}/gantry-{uid}"
    try:
        if parent:
            os.mkdir(path)
    except OSError:
        return ""
    return path if parent else ""


def join(path: str) -> None:
    """Move the calling process into it. Raises OSError."""
    with open(f"{path}/cgroup.procs", "w", encoding="ascii") as file:
        file.write("0")


def members(path: str) -> dict[int, Stat]:
    """Its living processes; none when it is gone."""
    try:
        with open(f"{path}/cgroup.procs", encoding="ascii") as file:
            pids = [int(line) for line in file]
    except (OSError, ValueError):
        return {}
    stats = {pid: read_stat(pid) for pid in pids}
    return {pid: stat for pid, stat in stats.items() if stat is not None and not stat.is_dead}


def kill(path: str) -> None:
    """SIGKILL everything in it and below in one step, where the kernel can (5.14 and newer)."""
    # Where it cannot, the caller's own signals have to do.
    with suppress(OSError), open(f"{path}/cgroup.kill", "w", encoding="ascii") as file:
        file.write("1")


def remove(path: str) -> None:
    """Delete it, once empty; what is left over is one empty folder in /sys."""
    with suppress(OSError):
        os.rmdir(path)
