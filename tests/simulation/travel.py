"""A call over a wire: the request arrives, has its effect there, and the reply comes back.

Each of the three is an event of its own, so that a caller can be killed, stopped or cut off
between any two of them: what it asked for still happens, or gets lost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from greenlet import GreenletExit, getcurrent

from tests.simulation.fibers import Fibers


@dataclass(slots=True)
class Weather:
    """How likely a call goes wrong, each 0 to 1; all is well at the end of a run."""

    lost_request: float = 0.0
    lost_reply: float = 0.0
    late: float = 0.0
    """The caller gives up waiting, and the request arrives after all."""
    slow: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)

    def calm(self) -> None:
        """Nothing goes wrong any more."""
        self.lost_request = self.lost_reply = self.late = self.slow = 0.0

    @property
    def fair(self) -> bool:
        """True while nothing can go wrong."""
        return not (self.lost_request or self.lost_reply or self.late or self.slow)


class _Trip:
    """One call under way."""

    __slots__ = ("answered", "error", "result")

    def __init__(self) -> None:
        self.answered = False
        self.result: Any = None
        self.error: BaseException | None = None


class Wire:
    """The way to one other side. `seconds`: how long a request takes, at most."""

    def __init__(
        self,
        fibers: Fibers,
        weather: Weather,
        seconds: float,
        *,
        lost: type[Exception],
        refused: Callable[[], bool],
    ) -> None:
        self._fibers = fibers
        self._weather = weather
        self._seconds = seconds
        self._lost = lost
        self._refused = refused

    def call(
        self, effect: Callable[[], Any], patience: float = 1.0, *, prompt: bool = False
    ) -> Any:
        """Do it over there. Raises what `effect` raises, and `lost` when nothing comes back.
        A `prompt` call arrives at once or never."""
        fibers, weather, rand = self._fibers, self._weather, self._fibers.random
        if fibers.closing:
            raise GreenletExit
        fiber = getcurrent()
        trip = _Trip()
        turn = fiber.turn + 1
        delay = rand() * self._seconds
        reply_lost = False
        if not weather.fair:
            chance = rand()
            if chance < weather.slow and not prompt:
                delay += rand() * patience * 0.8
            if rand() < weather.lost_request:
                weather.counts["lost_request"] += 1
                fibers.wait(delay)
                raise self._lost("the request got lost")
            if rand() < weather.late and not prompt:
                weather.counts["late_request"] += 1
                fibers.call_at(patience + rand() * patience, lambda: self._late(fiber, effect))
                fibers.wait(patience)
                raise self._lost("no answer in time")
            reply_lost = rand() < weather.lost_reply

        def arrive() -> None:
            if fiber.group.dead and rand() < 0.5:
                return
            if self._refused():
                trip.error = self._lost("connection refused")
            else:
                try:
                    trip.result = effect()
                except Exception as error:
                    trip.error = error
                if reply_lost:
                    weather.counts["lost_reply"] += 1
                    trip.error = self._lost("the reply got lost")
            if fiber.turn == turn:
                fibers.wake(fiber)

        fibers.call_at(delay, arrive)
        fibers.wait()
        if trip.error is not None:
            raise trip.error
        return trip.result

    def _late(self, fiber: Any, effect: Callable[[], Any]) -> None:
        if not self._refused() and not (fiber.group.dead and self._fibers.random() < 0.5):
            with suppress(Exception):  # nobody is there to hear of it; mistakes are noted inside
                effect()
