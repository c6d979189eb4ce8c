"""Many seeds, over some processes: what broke, and what it took."""

from __future__ import annotations

import gc
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing import get_context

from tests.simulation.listening import quiet
from tests.simulation.world import World

CHUNK = 500


@dataclass(slots=True)
class Tally:
    """What became of a number of seeds. `broken`: seed → what did not hold; `cpu_seconds` of
    the processes that ran them; `settled`: the longest wait, in virtual seconds, until all
    had come to its end after the last fault."""

    seeds: int = 0
    broken: dict[int, tuple[str, ...]] = field(default_factory=dict)
    checks: int = 0
    cpu_seconds: float = 0.0
    settled: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, other: Tally) -> None:
        """Take another tally's seeds in."""
        self.seeds += other.seeds
        self.broken |= other.broken
        self.checks += other.checks
        self.cpu_seconds += other.cpu_seconds
        self.settled = max(self.settled, other.settled)
        self.counts.update(other.counts)

    def words(self) -> Iterator[str]:
        """It, line by line."""
        yield f"{self.seeds:,} seeds, {len(self.broken):,} broken"
        yield f"{1000 * self.cpu_seconds / max(1, self.seeds):.2f} ms of processor time a seed"
        yield f"{self.checks:,} transactions and starts checked"
        yield f"longest wait until all was settled after the last fault: {self.settled:.0f} s"
        yield ", ".join(f"{name} {n:,}" for name, n in sorted(self.counts.items()))


def run(seeds: Iterable[int]) -> Tally:
    """Run these seeds here, some hundred at most: their garbage is left for later."""
    tally, begun = Tally(), time.process_time()
    collecting = gc.isenabled()
    gc.disable()
    try:
        with quiet():
            for seed in seeds:
                result = World(seed).run()
                tally.seeds += 1
                tally.checks += result.checks
                tally.settled = max(tally.settled, result.settled)
                tally.counts.update(result.counts)
                if result.broken:
                    tally.broken[seed] = result.broken
    finally:
        if collecting:
            gc.enable()
    tally.cpu_seconds = time.process_time() - begun
    return tally


def run_in_processes(seeds: Sequence[int], processes: int) -> Iterator[Tally]:
    """Run them in so many processes; a tally for each chunk, in their order.

    Each chunk has a process of its own, which takes its garbage along."""
    chunks = [seeds[at : at + CHUNK] for at in range(0, len(seeds), CHUNK)]
    with get_context("fork").Pool(processes, maxtasksperchild=1) as pool:
        yield from pool.imap(run, chunks)
