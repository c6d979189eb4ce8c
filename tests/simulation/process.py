"""One simulated engine process: the real services over a link, a lock and drivers of ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from orchestrator.loop.crew import Crew
from orchestrator.loop.keeper import HolderLock
from orchestrator.store import Site, Store
from providers.driver import Driver
from tests.simulation.fibers import Group
from tests.simulation.threads import Threads


class Machine:
    """Where processes see each other's locks."""

    def __init__(self) -> None:
        self.locks: dict[str, Group] = {}


class Lock(HolderLock):
    """The file lock: free as soon as its process is dead."""

    def __init__(self, machine: Machine, group: Group) -> None:
        self._machine = machine
        self.token = self.holder = group.name
        machine.locks[self.holder] = group

    def dead_holders(self) -> list[str]:
        return [holder for holder, group in self._machine.locks.items() if group.dead]

    def forget(self, holders: list[str]) -> None:
        for holder in holders:
            self._machine.locks.pop(holder, None)

    def close(self) -> None:
        self._machine.locks.pop(self.holder, None)


class Process:
    """A crew in a group of fibers."""

    def __init__(
        self,
        group: Group,
        threads: Threads,
        machine: Machine,
        store: Store,
        ttl: float,
        driver_of: Callable[[Site], Driver],
        on_death: Callable[[str], None],
    ) -> None:
        self.group = group
        self._threads = threads
        self._machine = machine
        self._store = store
        self._ttl = ttl
        self._driver_of = driver_of
        self._on_death = on_death
        self._crew: Crew | None = None
        self._woken_by: Mapping[str, Sequence[Callable[[], None]]] = {}
        threads.spawn_in(group, self._begin, "main")

    def _begin(self) -> None:
        lock = Lock(self._machine, self.group)
        self._crew = Crew(self._store, lock, self._ttl, self._driver_of)
        self._woken_by = self._crew.woken_by()
        self._crew.start(self._on_death)

    def hear(self, word: str) -> None:
        """A NOTIFY arrives."""
        callbacks = self._woken_by.get(word)
        if callbacks and not self.group.dead:

            def run() -> None:
                for callback in callbacks:
                    callback()

            self._threads.spawn_in(self.group, run, "wake")

    def end(self, then: Callable[[], None]) -> None:
        """SIGTERM: it ends by itself, in order; then its group is dead."""

        def run() -> None:
            if self._crew is not None:
                self._crew.stop()
            then()

        self._threads.spawn_in(self.group, run, "main")
