"""What a Gantry without jobs uses, process by process."""

from __future__ import annotations

import time
from dataclasses import dataclass

from benchmarks.processes import Processes, Usage

SETTLE_SECONDS = 20.0
WATCHED_SECONDS = 60.0
MOST_MIB, MOST_CORE_SHARE = 400.0, 0.02


@dataclass(frozen=True, slots=True)
class IdleProcess:
    """One process: its memory at the end, and its share of one core while it was watched."""

    usage: Usage
    core_share: float


def watch_idle(
    processes: Processes, seconds: float = WATCHED_SECONDS, settle: float = SETTLE_SECONDS
) -> list[IdleProcess]:
    """Let it come to rest, then watch it. A process that ended meanwhile is not listed."""
    time.sleep(settle)
    begun = time.monotonic()
    before = {usage.pid: usage.cpu_seconds for usage in processes.usage()}
    time.sleep(seconds)
    after = processes.usage()
    took = time.monotonic() - begun
    return [IdleProcess(u, (u.cpu_seconds - before.get(u.pid, 0.0)) / took) for u in after]
