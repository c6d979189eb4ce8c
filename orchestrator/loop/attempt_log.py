"""Reading one attempt's output into the log, masked, from wherever its stored log stands."""

from __future__ import annotations

import threading
from collections.abc import Callable

from jobs.masking import Masker
from orchestrator.loop.crash_points import crash_point
from orchestrator.loop.host_view import GivenUp, HostView
from orchestrator.loop.late_end import LateEnd
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
        self.lags = False
        """Whether the program's end was seen before its output was read to there."""
        self._secrets = order.secrets
        self._withheld = order.broken
        self._cursor = order.cursor
        self._host = host
        self._sink = sink
        self._end = LateEnd(host)
        self._moved_at = 0.0
        """When the cursor was moved last."""
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
        """Read from the cursor to the end, or while it runs: following ends, maybe with much
        still unread, when the program is seen to have ended. `lasting` is told of each batch.
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
            self._end.begin()
            for batch in stream:
                crash_point("output_read")
                if lasting is not None:
                    lasting()
                for masked in masker.feed(batch):
                    self._sink.write(masked)
                    self._cursor, self._moved_at = masked.cursor, monotonic()
                if follow and self._end.came_before(handle, batch):
                    self.lags = True
                    break
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

        An engine that has given nothing more of it for DRAIN_SECONDS is given up, because the
        end is known already; as long as more comes, a complete log is worth the wait. The
        database is waited for too: without it no end can be told either.
        """
        self._moved_at = monotonic()
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
                if monotonic() > self._moved_at + DRAIN_SECONDS:
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
