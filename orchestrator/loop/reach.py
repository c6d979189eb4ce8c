"""Whether a provider answers: the breaker that all threads of its host share.

The first call that gets no answer opens it: then nobody asks, and whoever needs an answer
waits here, until a probe (the host's watcher makes them, with growing pauses) gets one. An
engine that answers with an error of its own, mostly about one container, is in reach.
"""

from __future__ import annotations

import threading

from orchestrator.loop.host_view import GivenUp, ProviderLost
from orchestrator.loop.service import logger, monotonic
from providers.driver import EngineFault, Unreachable

PAUSE_SECONDS = 0.25
"""Between an answer to a probe and the next try of what had got none."""


class Reach:
    """One provider's breaker. `ending`: its host lets go; `lost_after` in seconds, None: never."""

    def __init__(self, name: str, lost_after: float | None, ending: threading.Event) -> None:
        self._name = name
        self._lost_after = lost_after
        self._ending = ending
        self._guard = threading.Condition()
        self._why: str | None = None
        """What it did not answer to; None while it answers."""
        self._since: float | None = None

    def check(self) -> None:
        """Raises Unreachable while it does not answer: asking would only cost a deadline."""
        with self._guard:
            if self._why is not None:
                raise Unreachable(self._why)

    def lost(self, error: Unreachable) -> None:
        """A call got no answer, or one that says nothing of all the others: then only who asked
        waits a little, and a probe tells whether the engine is well."""
        if isinstance(error, EngineFault):
            return
        with self._guard:
            if self._why is None:
                self._why = str(error)
                self._since = monotonic()
                logger.warning("provider %s does not answer: %s", self._name, error)

    def probed(self, failure: str | None) -> None:
        """What a probe came to: None, or why it got no answer."""
        with self._guard:
            if failure is None and self._why is not None:
                logger.info("provider %s answers again", self._name)
            self._why = failure
            self._since = None if failure is None else self._since or monotonic()
            self._guard.notify_all()

    def wait(self, error: Unreachable) -> None:
        """Return when it answers again. Raises GivenUp, ProviderLost."""
        self.lost(error)
        with self._guard:
            while self._why is not None:
                if self._ending.is_set():
                    raise GivenUp("left while its provider was out of reach") from error
                limit, since = self._lost_after, self._since
                if limit is not None and since is not None and monotonic() > since + limit:
                    why = f"not seen for {limit:g} s: {error}"
                    raise ProviderLost(self._name, why) from error
                self._guard.wait(1.0)
        if self._ending.wait(PAUSE_SECONDS):
            raise GivenUp("left") from error

    def let_go(self) -> None:
        """Wake those who wait: the host is ending."""
        with self._guard:
            self._guard.notify_all()
