"""One run from one seed: people, processes, engines and a database on one clock."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import cast

from greenlet import getcurrent

from jobs.states import TERMINAL
from orchestrator.loop.crash_points import POINTS
from orchestrator.scheduling.snapshot import Demand
from orchestrator.store import Site, Store, StoreDown
from providers.driver import Driver
from tests.simulation.driver import SimulatedDriver
from tests.simulation.engine import Engine
from tests.simulation.fate import Fate
from tests.simulation.fibers import Fibers, Group
from tests.simulation.invariants import Invariants
from tests.simulation.listening import listening
from tests.simulation.memory_store import MemoryStore
from tests.simulation.plot import HORIZON, RESTART_SECONDS, Happening, JobPlot, plot, program
from tests.simulation.process import Machine, Process
from tests.simulation.rows import Rows
from tests.simulation.store_link import StoreLink
from tests.simulation.substitution import substituted
from tests.simulation.threads import EPOCH, Threads
from tests.simulation.travel import Wire

DATABASE_SECONDS = 0.003
LIMIT_SECONDS = 400.0
"""So long after the last fault all must have come to its end."""
MOST_STEPS = 50_000
"""An ordinary run has some hundred; one that spins is ended here."""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one seed. `seconds` are virtual, `settled` those after the last fault."""

    seed: int
    broken: tuple[str, ...] = ()
    steps: int = 0
    checks: int = 0
    seconds: float = 0.0
    settled: float = 0.0
    digest: int = 0
    """Equal for equal runs."""
    counts: Counter[str] = field(default_factory=Counter)
    """What befell it, and what was done, by name."""


class World:
    """Everything of one run. `trace` is told each thing that happens."""

    def __init__(self, seed: int, trace: Callable[[str], None] | None = None) -> None:
        self.plot = plot(seed, tuple(POINTS))
        self._r = random.Random(seed * 7 + 1)
        self._trace = trace
        self.fibers = Fibers(self._r)
        self.threads = Threads(self.fibers, fine=self.plot.fine)
        self._made = self._uids = self._passes = 0
        self.rows = Rows(self._database_now, self._new_uid, self._notify)
        self.engines: dict[int, Engine] = {}
        self._make_providers()
        self.invariants = Invariants(self.rows, self.engines, self.threads.monotonic)
        self._machines = [Machine() for _ in range(self.plot.machines)]
        self.processes: list[Process] = []
        self.fate = Fate(
            self.fibers,
            self.rows,
            self.engines,
            processes=self.processes,
            begin=self._make_process,
            written=lambda: self.invariants.commit("cancel", (), lambda: None),
        )
        ends = [e.at + max(e.seconds, RESTART_SECONDS) for e in self.plot.happenings]
        self.calm_at = max([HORIZON if ends else 1.0, *ends])
        """When the last fault is over."""

    # --- making it ---

    def _database_now(self) -> datetime:
        return EPOCH + timedelta(seconds=self.fibers.now)

    def _new_uid(self) -> str:
        self._uids += 1
        return f"uid-{self._uids}"

    def _make_providers(self) -> None:
        for number, cores in enumerate(self.plot.providers):
            row = self.rows.add_provider(
                f"p{number}",
                cpu_millis=int(cores * 1000),
                slots=self.plot.slots,
                lost_after_seconds=self.plot.lost_after,
            )
            self.engines[row.pk] = Engine(
                row.name,
                self.fibers,
                lambda spec: program(self._r),
                cpu_cores=cores,
                skew=self.plot.skew,
            )

    def _make_process(self) -> None:
        self._made += 1
        group = Group(f"engine-{self._made}")
        wire = Wire(
            self.fibers,
            self.plot.database_weather,
            DATABASE_SECONDS,
            lost=StoreDown,
            refused=lambda: self.fate.database_down,
        )
        twin = MemoryStore(self.rows, group.name, self.plot.ttl)
        process = Process(
            group,
            self.threads,
            self._machines[self._made % len(self._machines)],
            cast(Store, StoreLink(twin, wire, self.invariants)),
            self.plot.ttl,
            self._driver_of,
            lambda name: self.invariants.fail(f"the {name} of {group.name} died"),
        )
        self.processes.append(process)
        self._say(f"{group.name} begins")

    def _driver_of(self, site: Site) -> Driver:
        return SimulatedDriver(self.engines[site.id], self.fibers, self.plot.engine_weather)

    def _notify(self, word: str) -> None:
        for process in self.processes:
            if self._r.random() < self.plot.heard:
                delay = self._r.random() * 0.005
                self.fibers.call_at(delay, lambda process=process: process.hear(word))  # type: ignore[misc]

    def _say(self, sentence: str) -> None:
        if self._trace is not None:
            self._trace(f"{self.fibers.now:9.4f}  {sentence}")

    # --- what happens ---

    def _submit(self, job: JobPlot) -> None:
        row = self.rows.submit(
            Demand(job.cpu_millis, 512),
            {
                "retry": {"max_attempts": job.max_attempts, "backoff_seconds": 1},
                "resources": {"timeout_seconds": job.timeout_seconds},
            },
        )
        self._say(f"job {row.pk} is submitted")

    def _befall(self, event: Happening) -> None:
        self._say(f"{event.kind} ({event.which}) for {event.seconds:.2f} s")
        self.fate.befall(event)

    def _calm(self) -> None:
        self._say("all faults are over")
        self.plot.engine_weather.calm()
        self.plot.database_weather.calm()

    def at_point(self, name: str) -> None:
        """A thread passes a crash point: it may be the one at which its process is to die."""
        death = self.plot.die_at
        if death is not None and name == death[0] and self.fibers.inside():
            self._passes += 1
            if self._passes == death[1]:
                group = getcurrent().group
                self._say(f"{group.name} dies at {name}")
                self.fate.counts["crash_point"] += 1
                process = next(p for p in self.processes if p.group is group)
                self.fate.kill_now(process, RESTART_SECONDS)
                self.fibers.hub.switch()
        elif self.plot.fine:
            self.threads.overtaken()

    # --- running it ---

    def run(self) -> Result:
        """Play it to its end."""
        said = self._say if self._trace is not None else None
        with substituted(self.threads, self.at_point), listening(self.invariants.fail, said):
            try:
                return self._play()
            finally:
                self.fibers.close()

    def _play(self) -> Result:
        fibers, invariants = self.fibers, self.invariants
        for _ in range(self.plot.processes):
            self._make_process()
        for job in self.plot.jobs:
            fibers.call_at(job.at, lambda job=job: self._submit(job))  # type: ignore[misc]
        for event in self.plot.happenings:
            fibers.call_at(event.at, lambda event=event: self._befall(event))  # type: ignore[misc]
        fibers.call_at(self.calm_at, self._calm)
        steps, limit = 0, self.calm_at + LIMIT_SECONDS
        while not invariants.broken and not self.threads.failures:
            for _ in range(20):
                fibers.step()
                steps += 1
            if fibers.now >= self.calm_at and self._settled():
                break
            if fibers.now > limit or steps > MOST_STEPS:
                invariants.fail(f"not settled after {steps} steps: {self._unsettled()}")
        return Result(
            seed=self.plot.seed,
            broken=(*invariants.broken, *self.threads.failures),
            steps=steps,
            checks=invariants.checks,
            seconds=fibers.now,
            settled=max(0.0, fibers.now - self.calm_at),
            digest=invariants.digest,
            counts=self._counts(),
        )

    def _counts(self) -> Counter[str]:
        counts = self.fate.counts
        counts["jobs"] = len(self.rows.jobs)
        counts["attempts"] = len(self.rows.attempts)
        counts["starts"] = sum(engine.starts.total() for engine in self.engines.values())
        counts["takeovers"] = sum(lease.term - 1 for lease in self.rows.leases.values())
        for weather in (self.plot.engine_weather, self.plot.database_weather):
            counts.update(weather.counts)
        return +counts

    def _settled(self) -> bool:
        return (
            len(self.rows.jobs) == len(self.plot.jobs)
            and not self.rows.live
            and all(job.state in TERMINAL for job in self.rows.jobs.values())
            and not any(engine.by_uid for engine in self.engines.values())
        )

    def _unsettled(self) -> str:
        jobs = [
            f"job {j.pk} {j.state} ({j.reason})"
            for j in self.rows.jobs.values()
            if j.state not in TERMINAL
        ]
        live = [f"attempt {a.pk} {a.phase}" for a in self.rows.live.values()]
        left = [f"{uid} on {e.name}" for e in self.engines.values() for uid in e.by_uid]
        return "; ".join(jobs + live + left)
