"""Reading one attempt's output into the log, masked, from wherever its stored log stands."""

from __future__ import annotations

import threading
from collections.abc import Callable

from jobs.masking import Masker
from orchestrator.loop.crash_points import crash_point
from orchestrator.loop.host_view import GivenUp, HostView
from orchestrator.loop.log_writer import LogSink
from orchestrator.loop.service import monotonic
from orchestrator.store import Order
from providers.driver import Handle, LogStream, Unreachable

DRAIN_SECONDS = 30.0
RETRY_SECONDS = 0.25


class AttemptLog:
    """One attempt's log while it is in hand."""

    def __init__(self, order: Order, host: HostView, sink: LogSink) -> None:
        self.note = ""
        """Why it is not complete, in plain words."""
        self._secrets = order.secrets
        self._withheld = order.broken
        self._cursor = order.cursor
        self._host = host
        self._sink = sink
        self._stream: LogStream | None = None
        self._detached = threading.Event()

    def interrupt(self) -> None:
        """End the present reading; any thread."""
        stream = self._stream
        if stream is not None:
            stream.close()

    def detach(self) -> None:
        """End reading for good: it goes on in another process, or later."""
        self._detached.set()
        self.interrupt()

    def pause(self, seconds: float) -> None:
        """Wait a little, or until detached."""
        self._detached.wait(seconds)

    def read(
        self, handle: Handle, *, follow: bool, lasting: Callable[[], None] | None = None
    ) -> None:
        """Read from the cursor to the end, or while it runs. `lasting` is told of each batch.
        Raises GivenUp, Unreachable, LogLost, LogRefused."""
        self._unless_detached()
        if self._withheld:  # without its secrets its output cannot be masked
            self.pause(RETRY_SECONDS if follow else 0)
            return
        masker = Masker(self._secrets)  # what an earlier reading kept back is read again
        stream = self._host.driver.logs(handle, self._cursor, follow=follow)
        self._stream = stream
        self._sink.following = handle if follow else None
        try:
            self._unless_detached()
            for batch in stream:
                crash_point("output_read")
                if lasting is not None:
                    lasting()
                for masked in masker.feed(batch):
                    self._sink.write(masked)
                    self._cursor = masked.cursor
            if not follow:
                for masked in masker.finish():
                    self._sink.write(masked)
        finally:
            self._stream = self._sink.following = None
            stream.close()
        self._unless_detached()

    def drain(self, handle: Handle, *, there: bool, lasting: Callable[[], None]) -> bool:
        """Read and store what is left; False (with a note) when some of it is lost.
        `lasting` is called, maybe often, when that takes more than a look.

        An engine that does not give it is given up after DRAIN_SECONDS, because the end is
        known already. The database is waited for: without it no end can be told either.
        """
        deadline = monotonic() + DRAIN_SECONDS
        complete = there
        if not there:
            self.note = "its container was gone before the last of its output was read"
        while complete:
            try:
                self.read(handle, follow=False, lasting=lasting)
                break
            except Unreachable as error:
                lasting()
                self._host.note_unreachable(error)
                if monotonic() > deadline:
                    self.note = f"the engine did not give the rest of it: {error}"
                    complete = False
                self.pause(RETRY_SECONDS)
        if self._withheld:
            self.note = f"its output is not kept, because it could not be masked: {self._withheld}"
            complete = False
        self._sink.flush().result()
        return complete and not self._sink.gap

    def _unless_detached(self) -> None:
        if self._detached.is_set():
            raise GivenUp("left running")
