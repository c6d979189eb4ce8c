"""What befalls a run: processes killed, stopped and ended, engines and the database away,
hands that cancel, remove, edit and drain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from tests.simulation.engine import Container, Engine
from tests.simulation.fibers import Fibers
from tests.simulation.plot import RESTART_SECONDS, Happening
from tests.simulation.process import Process
from tests.simulation.rows import Rows


class Fate:
    """Each kind of happening is a method of that name. `counts` says how often each was."""

    def __init__(
        self,
        fibers: Fibers,
        rows: Rows,
        engines: dict[int, Engine],
        *,
        processes: list[Process],
        begin: Callable[[], None],
        written: Callable[[], None],
    ) -> None:
        self.database_down = False
        self.counts: Counter[str] = Counter()
        self._fibers = fibers
        self._rows = rows
        self._engines = engines
        self._processes = processes
        self._begin = begin
        self._written = written

    def befall(self, event: Happening) -> None:
        """Let it happen."""
        self.counts[event.kind] += 1
        getattr(self, event.kind)(event)

    def kill_now(self, process: Process, seconds: float) -> None:
        """It is gone at once; a supervisor begins another one after so many seconds."""
        if not process.group.dead:
            process.group.dead = True
            self._processes.remove(process)
            self._fibers.call_at(max(seconds, RESTART_SECONDS), self._begin)

    def _process(self, event: Happening) -> Process | None:
        some = [p for p in self._processes if not p.group.stopped]
        return some[event.which % len(some)] if some else None

    def _provider(self, event: Happening) -> int:
        return 1 + event.which % len(self._engines)

    def _engine(self, event: Happening) -> Engine:
        return self._engines[self._provider(event)]

    def _containers(self, event: Happening) -> list[Container]:
        return list(self._engine(event).by_uid.values())

    def _for_a_while(self, event: Happening, thing: object, name: str) -> None:
        setattr(thing, name, True)
        self._fibers.call_at(event.seconds, lambda: setattr(thing, name, False))

    # --- processes ---

    def kill(self, event: Happening) -> None:
        """SIGKILL."""
        process = self._process(event)
        if process is not None:
            self.kill_now(process, event.seconds)

    def stop(self, event: Happening) -> None:
        """SIGSTOP, and SIGCONT after a while, perhaps when its leases are another's."""
        process = self._process(event)
        if process is not None:
            group = process.group
            self._fibers.stop(group)
            self._fibers.call_at(event.seconds, lambda: self._fibers.go_on(group))

    def end(self, event: Happening) -> None:
        """SIGTERM."""
        process = self._process(event)
        if process is not None:
            process.end(lambda: self.kill_now(process, event.seconds))

    # --- engines and the database ---

    def engine_down(self, event: Happening) -> None:
        """It does not answer; what runs on it goes on."""
        self._for_a_while(event, self._engine(event), "down")
        self._engine(event).changed()

    def engine_crash(self, event: Happening) -> None:
        """It is gone with all that ran on it, and comes back."""
        self._engine(event).crash()
        self.engine_down(event)

    def engine_full(self, event: Happening) -> None:
        """It has no room for another container."""
        self._for_a_while(event, self._engine(event), "full")

    def database_gone(self, event: Happening) -> None:
        """No connection to the database."""
        self._for_a_while(event, self, "database_down")

    # --- hands ---

    def cancel(self, event: Happening) -> None:
        """Somebody cancels a job."""
        if self._rows.jobs:
            self._rows.cancel(1 + event.which % len(self._rows.jobs), "someone")
            self._written()

    def take_away(self, event: Happening) -> None:
        """Somebody removes a container."""
        for container in self._containers(event)[:1]:
            self._engine(event).take_away(container)

    def start_again(self, event: Happening) -> None:
        """Somebody starts a container."""
        for container in self._containers(event)[:1]:
            self._engine(event).start_again(container)

    def rotate(self, event: Happening) -> None:
        """What was written is not to be had any more."""
        for container in self._containers(event):
            self._engine(event).forget_output(container)

    def drain(self, event: Happening) -> None:
        """An operator has a provider take no new jobs."""
        provider = self._provider(event)
        self._rows.edit_provider(provider, mode="draining")
        self._fibers.call_at(
            event.seconds, lambda: self._rows.edit_provider(provider, mode="active")
        )

    def edit(self, event: Happening) -> None:
        """An operator edits a provider: its host is built anew."""
        self._rows.edit_provider(self._provider(event), options={"edit": event.which})

    def probe(self, event: Happening) -> None:
        """Somebody asks for a probe."""
        self._rows.request(self._provider(event), "probe")
