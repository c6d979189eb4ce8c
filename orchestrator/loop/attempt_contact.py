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
        self._marked = False
        self.lost_at: datetime | None = None
        """When what was last seen running went out of reach, on the engine's clock."""
        self.back_at: datetime | None = None
        """When it was last waited for."""
        self.seen_running = False

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
        if self._marked:
            self._mark(None)

    def untold(self, error: Unreachable) -> None:
        """Once more it did not."""
        self._untold += 1
        if self._untold >= UNSEEN_AFTER:
            self._mark(str(error))

    def lost(self, error: Unreachable) -> None:
        """Wait until the engine answers again; the moment may tell who ended the program."""
        self.lost_at = self.lost_at or self._host.engine_now()
        self._host.lost_contact(error)
        # An engine that answers probes, but not this: asked less and less often.
        self._pause(min(LONGEST_PAUSE, 0.1 * 2**self._losses) if self._losses else 0.0)
        self._losses = min(self._losses + 1, 10)  # the power of a day's would be no float
        self.back_at = self._host.engine_now()

    def _mark(self, why: str | None) -> None:
        """As not seen, with the engine's last word; None: as seen again."""
        self._marked = why is not None
        fence, attempts, unseen = self._host.fence, [self._attempt], self._marked
        self._host.post(
            lambda store: store.unseen(fence, attempts, unseen=unseen, why=why or ""),
            ("unseen", self._attempt),
        )
