"""The in-memory twin keeps the same contract as the store in Postgres."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from orchestrator.scheduling.snapshot import Demand
from orchestrator.store import Store
from tests.contract.store_contract import StoreContract
from tests.contract.store_stage import Stage
from tests.simulation.memory_store import MemoryStore
from tests.simulation.rows import Rows


class MemoryStage:
    """Rows in memory, and two processes that see them."""

    def __init__(self) -> None:
        uids = count(1)
        self.holder = "me"
        self._rows = Rows(lambda: datetime.now(UTC), lambda: f"uid-{next(uids)}")
        self.store: Store = MemoryStore(self._rows, self.holder, 60)
        self.other: Store = MemoryStore(self._rows, "another", 60)

    def add_provider(self, name: str, *, cpu_millis: int = 4000, slots: int | None = None) -> int:
        return self._rows.add_provider(name, cpu_millis=cpu_millis, slots=slots).pk

    def add_job(
        self,
        *,
        cpu_millis: int = 1000,
        priority: int = 50,
        held: bool = False,
        max_attempts: int = 1,
        queue_timeout_seconds: int | None = None,
        backoff_seconds: int = 0,
    ) -> int:
        row = self._rows.submit(
            Demand(cpu_millis, 512),
            {"retry": {"max_attempts": max_attempts, "backoff_seconds": backoff_seconds}},
            priority=priority,
            held=held,
            queue_timeout_seconds=queue_timeout_seconds,
        )
        return row.pk

    def age_job(self, job: int) -> None:
        row = self._rows.jobs[job]
        row.queued_at -= timedelta(hours=1)
        if row.queue_until is not None:
            row.queue_until -= timedelta(hours=1)
        if row.not_before is not None:
            row.not_before -= timedelta(hours=1)

    def cancel(self, job: int) -> None:
        self._rows.cancel(job, "someone")

    def hold(self, job: int) -> None:
        self._rows.jobs[job].held = True

    def set_mode(self, provider: int, mode: str) -> None:
        self._rows.edit_provider(provider, mode=mode)

    def expire_leases(self) -> None:
        for lease in self._rows.leases.values():
            lease.expires_at = datetime(2001, 1, 1, tzinfo=UTC)

    def job(self, job: int) -> tuple[str, str]:
        return self._rows.jobs[job].state, self._rows.jobs[job].told

    def rev(self, job: int) -> int:
        return self._rows.jobs[job].rev

    def log(self, attempt: int) -> tuple[bool | None, str]:
        row = self._rows.attempts[attempt]
        return row.log_complete, row.log_note

    def readings(self, attempt: int) -> list[int]:
        return [reading.memory_bytes for reading in self._rows.attempts[attempt].readings]

    def memory_peak(self, attempt: int) -> int | None:
        return max(self.readings(attempt), default=None)

    def ask(self, provider: int) -> int:
        return self._rows.request(provider, "probe").pk

    def request(self, request: int) -> str:
        return self._rows.requests[request].status


class TestMemoryStore(StoreContract):
    """The contract, over the twin."""

    @pytest.fixture
    def stage(self) -> Stage:
        return MemoryStage()
