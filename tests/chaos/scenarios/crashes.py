"""An engine process dies at each crash point, over the real Docker engine; the next one
brings every job to its right end."""

from __future__ import annotations

import random
import time
from functools import partial

from orchestrator.loop.crash_points import POINTS
from tests.chaos.campaign import Scenario, Trial, Verdict
from tests.chaos.stage import END_SECONDS, MIX, Stage, stage
from tests.chaos.whole import whole
from tests.support.waiting import wait_until

TRIALS = 8
DIE_SECONDS = 90.0

MOST_PASSES = {
    # once in a process's life, in these trials
    "before_acquire": 1, "after_acquire": 1, "before_adopt": 1,
    "adopting": 1, "before_fence": 1, "after_fence": 1,
    # a plan for all, and one for the retry
    "before_plan": 2, "after_plan": 2,
    # a cancel that may come too early for a stop, and a time limit
    "stop_asked": 2, "before_stop": 1, "after_stop": 1,
    # by the thousand
    "before_moves": 15, "after_moves": 15, "before_renew": 6, "after_renew": 6,
    "before_logs": 6, "after_logs": 6, "output_read": 8,
}  # fmt: skip
PASSES = 4

LEFT_BY = {
    "adopting": ("after_creating", "after_create", "after_starting", "after_start"),
    "before_fence": ("after_create", "after_starting"),
    "after_fence": ("after_create", "after_starting"),
}
"""Points of a takeover, and where an earlier process has to die to leave them their case."""


def die_at(point: str, trial: Trial) -> Verdict:
    """One mixture of jobs, one death at that point, at a pass of chance; then a process
    that lives."""
    with stage(trial.seed) as on:
        on.submit()
        deaths = 0
        if point in LEFT_BY:
            die(on, "before", on.rng.choice(LEFT_BY[point]))
            deaths += 1
        die(on, "dies", f"{point}:{on.rng.randint(1, MOST_PASSES.get(point, PASSES))}")
        on.engine("lives").start()
        on.wait_for_end()
        return on.check(deaths=deaths + 1)


def die(on: Stage, name: str, crash_at: str) -> None:
    """Start a process that dies there, and wait until it has."""
    process = on.engine(name, crash_at=crash_at)
    process.launch()
    on.wait_for(lambda: process.process.poll() is not None, DIE_SECONDS, f"death at {crash_at}")
    assert process.process.returncode == -9, f"it ended by itself:\n{process.output()[-2000:]}"


def kill_at_random(trial: Trial, *, kills: int = 8, jobs: int = 25) -> Verdict:
    """kill -9 of the engine process at moments of chance, started anew at once, while jobs
    come in."""
    with stage(trial.seed) as on:
        engine = on.engine("engine")
        engine.start()
        for each in range(kills):
            on.submit(on.rng.choices(MIX, k=jobs * (each + 1) // kills - len(on.asked)))
            pause(on, on.rng.uniform(0, 2.5))
            engine.kill()
            engine.start()
        on.wait_for_end()
        return on.check(kills=kills)


def pause(on: Stage, seconds: float) -> None:
    """Let it work so long: the moment of the next fault is chance, not a condition."""
    until = time.monotonic() + seconds
    on.wait_for(lambda: time.monotonic() >= until, seconds + 60, "the moment of the next fault")


VICTIMS = ("orchestrate", "web", "orchestrate", "qcluster", "orchestrate", "supervisor")


def kill_any(trial: Trial, *, jobs: int = 20) -> Verdict:
    """kill -9 of each process of a whole Gantry, in an order of chance, while jobs come in
    over its API."""
    rng = random.Random(trial.seed)
    victims = rng.sample(VICTIMS, len(VICTIMS))
    with whole() as on:
        for number in range(jobs):
            on.submit(number)
            if number % (jobs // len(VICTIMS)) == 0 and victims:
                until = time.monotonic() + rng.uniform(0, 1.5)
                wait_until(lambda until=until: time.monotonic() >= until, 60, "the next fault")  # type: ignore[misc]
                on.kill(victims.pop())
        on.wait_for_end(END_SECONDS)
        return on.check(kills=len(VICTIMS) - len(victims))


SCENARIOS = [
    Scenario("crashes.random", "docker", 20, kill_at_random),
    Scenario("crashes.any-process", "docker", 10, kill_any),
]
SCENARIOS += [
    Scenario(f"crashes.{point}", "docker", TRIALS, partial(die_at, point)) for point in POINTS
]
