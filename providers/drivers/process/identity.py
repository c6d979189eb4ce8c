"""Which process is meant: (boot, pid, start time), because a pid alone comes back."""

from __future__ import annotations

import os


class Identity:
    """One process of one boot; `ticks` is its start time in clock ticks since the boot."""

    __slots__ = ("boot", "pid", "ticks")

    def __init__(self, boot: str, pid: int, ticks: int) -> None:
        self.boot = boot
        self.pid = pid
        self.ticks = ticks

    @classmethod
    def of_this_process(cls) -> Identity:
        stat = read_stat(os.getpid())
        assert stat is not None
        return cls(this_boot(), os.getpid(), stat.ticks)

    @classmethod
    def from_json(cls, data: object) -> Identity | None:
        match data:
            case [str(boot), int(pid), int(ticks)]:
                return cls(boot, pid, ticks)
        return None

    def to_json(self) -> list[object]:
        return [self.boot, self.pid, self.ticks]

    def is_alive(self) -> bool:
        """Whether that very process still runs; a zombie does not."""
        if self.boot != this_boot():
            return False
        stat = read_stat(self.pid)
        return stat is not None and stat.ticks == self.ticks and not stat.is_dead


class Stat:
    """What /proc/<pid>/stat says of a process, as far as we ask."""

    __slots__ = ("is_dead", "parent", "ticks")

    def __init__(self, parent: int, ticks: int, is_dead: bool) -> None:
        self.parent = parent
        self.ticks = ticks
        self.is_dead = is_dead


def read_stat(pid: int) -> Stat | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            line = file.read()
    except OSError:
        return None
    # The second field is the program's name in parentheses, and may itself hold any byte.
    fields = line[line.rindex(b")") + 2 :].split()
    return Stat(parent=int(fields[1]), ticks=int(fields[19]), is_dead=fields[0] in (b"Z", b"X"))


def this_boot() -> str:
    """The boot and the pid namespace: pids of another container mean other processes."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        boot = file.read().strip()
    return f"{boot} {os.readlink('/proc/self/ns/pid')}"
