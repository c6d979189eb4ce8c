"""What this machine has, and what of a job's wishes it holds to."""

from __future__ import annotations

import os
import platform
import shutil

from providers.driver import Health, Probe
from providers.drivers.process import cgroup


def probe_machine(folder: str) -> Probe:
    """Never raises."""
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            return Probe(Health.UNREACHABLE, f"the folder {folder} cannot be written to")
        disk = shutil.disk_usage(folder)
        memory_mb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // (1024 * 1024)
        return Probe(
            Health.HEALTHY,
            version=platform.release(),
            cpu_cores=float(len(os.sched_getaffinity(0))),
            memory_mb=memory_mb,
            disk_free_bytes=disk.free,
            disk_total_bytes=disk.total,
            clock_offset_ms=0,
            facts=_facts(),
        )
    except OSError as error:
        return Probe(Health.UNREACHABLE, str(error))


def _facts() -> dict[str, str]:
    return {
        "isolation": "none: a job sees and may do what Gantry's own user may",
        "cpu limit": "not enforced",
        "memory limit": "private memory of each process (RLIMIT_DATA), not of the whole job",
        "process limit": "not enforced",
        "out of memory": "cannot be told from other kills",
        "held together by": (
            "a cgroup and its descent" if cgroup.parent_path() else "the descent of its processes"
        ),
        "os": platform.system(),
        "architecture": platform.machine(),
        "kernel": platform.release(),
    }
