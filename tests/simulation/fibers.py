"""Threads as greenlets on one virtual clock: who goes on next, and when, is the seed's choice.

A fiber runs until it waits; then the scheduler takes the earliest of what is due. Whoever
is woken goes on a random moment later, so that every order of threads which wait for the
world or for each other can come up, and the same seed always gives the same one.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any

from greenlet import GreenletExit, getcurrent, greenlet

JITTER_SECONDS = 0.001
"""A woken thread goes on within this time."""

SHORTEST_WAIT = 1e-6
"""Time passes in every wait, as it does anywhere."""


class Group:
    """The fibers of one process: they stop and die together."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.dead = False
        self.stopped = False
        self.missed: list[tuple[Fiber, int]] = []
        """What became due while it was stopped."""


class Fiber(greenlet):  # type: ignore[misc]
    """One simulated thread."""

    def __init__(self, fibers: Fibers, group: Group, work: Callable[[], None], name: str) -> None:
        super().__init__(work, fibers.hub)
        self.group = group
        self.name = name
        self.turn = 0
        """Rises with each wait: what was meant for an earlier wait is nothing to this one."""
        self.woken = False
        self.ended: list[Fiber] = []
        """Who waits for its end."""


class Fibers:
    """The scheduler of all fibers, and the clock."""

    def __init__(self, random_source: random.Random) -> None:
        self.now = 0.0
        self.hub = getcurrent()
        self.closing = False
        self.random = random_source.random
        self._due: list[tuple[float, int, Any, int]] = []
        self._count = 0
        self.keep: list[Fiber] = []

    # --- called by fibers ---

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until woken (True), or until the time is over (False)."""
        if self.closing:
            raise GreenletExit
        fiber: Fiber = getcurrent()
        fiber.turn += 1
        fiber.woken = False
        if seconds is not None:
            self._count += 1
            at = self.now + (seconds if seconds > SHORTEST_WAIT else SHORTEST_WAIT)
            heappush(self._due, (at, self._count, fiber, fiber.turn))
        self.hub.switch()
        return fiber.woken

    def inside(self) -> bool:
        """True when a fiber asks, False for the world around them."""
        return getcurrent() is not self.hub

    # --- called by anybody ---

    def wake(self, fiber: Fiber) -> None:
        """Let a waiting fiber go on."""
        if not fiber.woken:
            fiber.woken = True
            self._count += 1
            at = self.now + self.random() * JITTER_SECONDS
            heappush(self._due, (at, self._count, fiber, fiber.turn))

    def spawn(self, group: Group, work: Callable[[], None], name: str) -> Fiber:
        """A new fiber, which begins a moment later."""
        fiber = Fiber(self, group, work, name)
        self.keep.append(fiber)  # its frames must not be unwound before all is over
        self.wake(fiber)
        return fiber

    def call_at(self, seconds: float, work: Callable[[], None]) -> None:
        """Have something happen in the world after so many seconds."""
        self._count += 1
        heappush(self._due, (self.now + seconds, self._count, work, -1))

    # --- the world's side ---

    def stop(self, group: Group) -> None:
        """SIGSTOP."""
        group.stopped = True

    def go_on(self, group: Group) -> None:
        """SIGCONT: what became due meanwhile goes on now."""
        group.stopped = False
        missed, group.missed = group.missed, []
        for fiber, turn in missed:
            self._count += 1
            at = self.now + self.random() * JITTER_SECONDS
            heappush(self._due, (at, self._count, fiber, turn))

    def step(self) -> bool:
        """Let the next thing happen; False when nothing is due ever again."""
        due = self._due
        while due:
            at, _, what, turn = heappop(due)
            if at > self.now:
                self.now = at
            if turn < 0:
                what()
                return True
            if turn != what.turn or what.dead:
                continue
            group = what.group
            if group.dead:
                continue
            if group.stopped:
                group.missed.append((what, turn))
                continue
            what.switch()
            if what.dead:
                for other in what.ended:
                    self.wake(other)
            return True
        return False

    def close(self) -> None:
        """End of the world: what still waits is dropped, and does nothing more."""
        self.closing = True
        fibers, self.keep = self.keep, []
        for fiber in fibers:
            if fiber:
                fiber.throw()
        self._due.clear()
