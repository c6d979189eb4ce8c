"""What a process uses now, by the kernel's account, and what an engine holds of it."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from django.db import connections

from tests.support.container_starts import engine_client

SAMPLE_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Usage:
    """Memory in MiB (PSS: shared pages count for their share), threads, open files."""

    memory_mb: float
    threads: int
    files: int


def usage(pid: int) -> Usage:
    """Of a process that lives."""
    proc = Path(f"/proc/{pid}")
    rollup = (proc / "smaps_rollup").read_text()
    pss = re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)
    assert pss is not None
    return Usage(
        int(pss[1]) / 1024,
        len(list((proc / "task").iterdir())),
        len(list((proc / "fd").iterdir())),
    )


class Watch:
    """Samples a process while it is open: the greatest of each that was seen, and its
    database connections as the server counts them."""

    def __init__(self, pid: int) -> None:
        self.first = usage(pid)
        self.most = self.first
        self.most_connections = 0
        self.samples = 0
        self._pid = pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sample)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()

    @property
    def grown_mb(self) -> float:
        """How much more memory than at first it ever had."""
        return round(self.most.memory_mb - self.first.memory_mb, 1)

    def _sample(self) -> None:
        try:
            while not self._over.wait(SAMPLE_SECONDS):
                now = usage(self._pid)
                self.most = Usage(
                    max(self.most.memory_mb, now.memory_mb),
                    max(self.most.threads, now.threads),
                    max(self.most.files, now.files),
                )
                self.most_connections = max(self.most_connections, _engine_connections())
                self.samples += 1
        finally:
            connections.close_all()  # this thread's own


def _engine_connections() -> int:
    with connections["default"].cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name = 'gantry-orchestrate'"
        )
        return int(cursor.fetchone()[0])


def networks_and_volumes() -> set[str]:
    """All that the engine has of both, by name."""
    client = engine_client()
    try:
        networks = {f"network {network['Name']}" for network in client.networks()}
        volumes = {f"volume {volume['Name']}" for volume in client.volumes()["Volumes"] or []}
    finally:
        client.close()
    return networks | volumes
