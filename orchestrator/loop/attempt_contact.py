"""Whether the engine tells about one attempt: since when it does not, and what that means.

An engine may answer probes and still not tell of one container, for hours. It is asked less
and less often, and the attempt is marked as not seen, so that people see it and may
force-finish it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from orchestrator.loop.host_view import HostView
from providers.driver import Observation, Unreachable

LONGEST_PAUSE = 10.0
UNSEEN_AFTER = 8
"""So many looks in a row that brought nothing, some 20 s: it counts as not seen."""


class AttemptContact:
    """One attempt's, in its own thread. `pause` waits a while, or until it is let go."""

    def __init__(self, attempt: int, host: HostView, pause: Callable[[float], None]) -> None:
        self._attempt = attempt
        self._host = host
        self._pause = pause
        self._losses = 0
        self._untold = 0
        self._marked = ""
        """The engine's last word while it is marked as not seen, else empty."""
        self.lost_at: datetime | None = None
        """When what was last seen running went out of reach, on the engine's clock."""
        self.back_at: datetime | None = None
        """When it was last waited for."""
        self.seen_running = False

    @property
    def marked(self) -> bool:
        """Whether it is marked as not seen; any thread may ask."""
        return bool(self._marked)

    def runs(self) -> None:
        """It was seen running."""
        self.lost_at, self.seen_running = None, True

    def well(self) -> None:
        """All that was asked was answered."""
        self._losses = 0

    def observed(self, look: Callable[[], Observation]) -> Observation:
        """What the engine says, however long that takes."""
        while True:
            try:
                seen = look()
            except Unreachable as error:
                self.lost(error)
                self.untold(error)
                continue
            self.told()
            return seen

    def told(self) -> None:
        """The engine told its state."""
        self._untold = 0
        self._mark("")

    def untold(self, error: Unreachable) -> None:
        """Once more it did not."""
        self._untold += 1
        if self._untold >= UNSEEN_AFTER:
            self._mark(str(error) or "the engine does not tell of it")

    def away(self, error: Unreachable) -> None:
        """Wait until the engine answers again: one that answers probes, but not this, is asked
        less and less often."""
        self._host.lost_contact(error)
        self._pause(min(LONGEST_PAUSE, 0.1 * 2**self._losses) if self._losses else 0.0)
        self._losses = min(self._losses + 1, 10)  # the power of a day's would be no float

    def lost(self, error: Unreachable) -> None:
        """The same, of what was seen running: the moment may tell who ended the program."""
        self.lost_at = self.lost_at or self._host.engine_now()
        self.away(error)
        self.back_at = self._host.engine_now()

    def _mark(self, why: str) -> None:
        """As not seen, with the engine's last word; empty: as seen again. Told when it changes."""
        if why == self._marked:
            return
        self._marked = why
        fence, attempts = self._host.fence, [self._attempt]
        self._host.post(
            lambda store: store.unseen(fence, attempts, unseen=bool(why), why=why),
            ("unseen", self._attempt),
        )
