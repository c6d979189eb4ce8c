"""What the processes of one Gantry use: memory (PSS) and processor time, from /proc."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from orchestrator.local.postgres import EmbeddedPostgres
from tests.support.running import RunningGantry

PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")
SERVICES = ("web", "orchestrate", "qcluster")


@dataclass(frozen=True, slots=True)
class Usage:
    """One process now: MiB of memory that are its own share, seconds of processor time."""

    role: str
    pid: int
    command: str
    pss_mib: float
    cpu_seconds: float


class Processes:
    """All processes of a running Gantry, by their role."""

    def __init__(self, gantry: RunningGantry) -> None:
        cluster = EmbeddedPostgres(gantry.data_dir).home.cluster
        postmaster = int((cluster / "postmaster.pid").read_text().split("\n", 1)[0])
        self._roots = {
            "supervisor": gantry.process.pid,
            **{name: gantry.pid_of(name) for name in SERVICES},
            "postgres": postmaster,
        }

    def usage(self) -> list[Usage]:
        """What each uses; its children belong to its role, except those with a role, and an
        engine that the supervisor had to start."""
        parents = dict(_parents())
        found = []
        for pid in parents:
            role = self._role(pid, parents)
            if role and (usage := _usage(role, pid)):
                found.append(usage)
        return sorted(found, key=lambda u: ([*self._roots].index(u.role), u.pid))

    def cpu_seconds(self) -> dict[str, float]:
        """Processor time by role, of children that have ended too."""
        spent = dict.fromkeys(self._roots, 0.0)
        for usage in self.usage():
            spent[usage.role] += usage.cpu_seconds
        return spent

    def _role(self, pid: int, parents: dict[int, int]) -> str:
        roles = {root: role for role, root in self._roots.items()}
        at = pid
        while at and at not in roles:
            at = parents.get(at, 0)
        role = roles.get(at, "")
        return "" if role == "supervisor" and at != pid else role


def _parents() -> Iterator[tuple[int, int]]:
    for entry in PROC.iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            yield int(entry.name), int(fields[1])


def _stat(pid: int) -> list[str]:
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _usage(role: str, pid: int) -> Usage | None:
    fields = _stat(pid)
    try:
        rollup = (PROC / str(pid) / "smaps_rollup").read_text()
        command = (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return None
    pss = next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
    # Its own time in user and kernel mode, and that of children it has waited for.
    ticks = sum(int(field) for field in fields[11:15])
    return Usage(role, pid, command.strip(), pss / 1024, ticks / TICKS)
