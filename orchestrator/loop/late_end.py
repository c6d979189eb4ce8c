"""Noticing that a program has ended while its output is still being read.

Whoever follows an output learns of the end when there is no more to read. Where reading
lags, because much was written or the database is slow, that may be minutes later, and the
job would be shown as running all that time.
"""

from __future__ import annotations

from orchestrator.loop.host_view import HostView
from orchestrator.loop.service import monotonic
from providers.driver import DriverError, Handle, LogBatch, RunState

LOOK_SECONDS = 5.0
LAG_SECONDS = 2.0
"""What is read within this time of its writing tells that the program was just there."""


class LateEnd:
    """One attempt's, in the thread that follows its output."""

    def __init__(self, host: HostView) -> None:
        self._host = host
        self._due = 0.0

    def begin(self) -> None:
        """A reading begins; its caller has just looked."""
        self._due = monotonic() + LOOK_SECONDS

    def came_before(self, handle: Handle, batch: LogBatch) -> bool:
        """Whether the program has ended by now. Asks the engine now and then, and only when
        what was read is old; a look that fails is no reason to end a reading that works."""
        if not batch.frames or monotonic() < self._due:
            return False
        read_up_to = batch.frames[-1].at_ns / 1e9
        if self._host.engine_now().timestamp() - read_up_to < LAG_SECONDS:
            return False
        self._due = monotonic() + LOOK_SECONDS
        try:
            return self._host.driver.observe(handle).state is not RunState.RUNNING
        except DriverError:
            return False
