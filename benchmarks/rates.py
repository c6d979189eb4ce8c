"""`python -m benchmarks.rates`: jobs per second through Gantry, beside two task queues.

The provider is scripted and ends jobs at once (docs/fake-driver.md), so no container counts:
what is measured is how fast jobs are taken in, and how fast they go their whole way, placed,
started, ended, with every event and attempt kept. The same machine runs as many empty tasks
through django-q2's ORM broker and through Procrastinate, each on a database of its own in the
same Postgres, in turn with Gantry.
"""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from time import perf_counter

from benchmarks.intervals import estimate
from benchmarks.scripted import FAKE, SMALL, Scripted
from benchmarks.task_queues import DjangoQ, Procrastinate, TaskQueue
from tests.support.running import running_gantry

A_CALL = 1000
CLIENTS = 2
LEAST_TAKEN_IN, LEAST_DONE = 10_000.0, 1_000.0
LEAST_RATIOS = {"django-q2": 5.0, "Procrastinate": 2.0}


def taken_in(side: Scripted, many: int) -> float:
    """Held jobs submitted per second by two clients, a thousand a call."""
    spec = {"name": "bulk", "image": "any:1", "hold": True, "resources": SMALL}
    call = {"jobs": [spec] * A_CALL}
    with ThreadPoolExecutor(CLIENTS) as clients:
        begun = perf_counter()
        made = list(clients.map(lambda _: side.post("/jobs/bulk", call), range(many // A_CALL)))
        seconds = perf_counter() - begun
    assert sum(len(each["ids"]) for each in made) == many
    return many / seconds


def main() -> int:
    """0 when all goals are met."""
    asked = _arguments()
    with ExitStack() as stack:
        side = Scripted(stack.enter_context(running_gantry(FAKE)))
        others: list[TaskQueue] = [
            stack.enter_context(kind(side.gantry.database_url)) for kind in (DjangoQ, Procrastinate)
        ]
        side.batch(100)
        intake: list[float] = []
        done: dict[str, list[float]] = {"Gantry": [], **{other.name: [] for other in others}}
        for _ in range(asked.rounds):
            side.wake_up()
            intake.append(taken_in(side, asked.bulk))
            done["Gantry"].append(side.batch(asked.batch))
            with side.standing_still():
                for other in others:
                    done[other.name].append(other.rate(asked.tasks))
            told = ", ".join(f"{name} {rates[-1]:.0f}/s" for name, rates in done.items())
            print(f"  taken in {intake[-1]:.0f}/s; done: {told}", flush=True)
    rate, lifecycles = estimate(intake), estimate(done["Gantry"])
    met = rate.value >= LEAST_TAKEN_IN and lifecycles.value >= LEAST_DONE
    print(f"taken in, jobs/s       {rate.told(0)} (at least {LEAST_TAKEN_IN:,.0f})")
    print(f"whole lifecycles/s     {lifecycles.told(0)} (at least {LEAST_DONE:,.0f})")
    for name, least in LEAST_RATIOS.items():
        pairs = zip(done["Gantry"], done[name], strict=True)
        ratio = estimate([ours / theirs for ours, theirs in pairs])
        met = met and ratio.value >= least
        own = estimate(done[name]).told(0)
        print(f"  ÷ {name:19} {ratio.told()} (at least {least:g}); its own {own}")
    return 0 if met else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rates", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--bulk", type=int, default=10_000, help="jobs taken in a round")
    parser.add_argument("--batch", type=int, default=2000, help="jobs done a round")
    parser.add_argument("--tasks", type=int, default=500, help="tasks of each other queue a round")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
