"""A Docker engine that is restarted, loses its power or hangs, with jobs running on it."""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping
from functools import partial

from jobs.services import job_cancel
from projects.actor import SYSTEM
from tests.chaos.campaign import Scenario, Trial, Verdict
from tests.chaos.sick_engine import (
    ANEW,
    AWAY,
    BACK,
    LASTING,
    LEAVING,
    ONCE,
    OWN_END,
    POLITE,
    STUBBORN,
    sick_engine,
)
from tests.support.waiting import wait_until


def restart(trial: Trial, *, live_restore: bool) -> Verdict:
    """dockerd ends, as its service ends it or as a crash does, and comes back. Without
    live-restore it takes its containers along; with it they outlive it."""
    with sick_engine(trial.seed, live_restore=live_restore) as on:
        number = on.rng.choice([signal.SIGTERM, signal.SIGKILL])
        told = ONCE if live_restore else ANEW
        for _ in range(3):
            on.submit("lasting", LASTING, told)
        on.submit("polite", POLITE, told)
        if trial.number % 4 == 3:  # each takes the engine 10 s more
            on.submit("stubborn", STUBBORN, told)
        if live_restore or number == signal.SIGKILL:
            on.submit("leaving by itself", LEAVING, OWN_END)
        on.wait_until_all_run()
        pause(on.rng.uniform(0, 0.5))
        on.engine.stop(number)
        pause(0.3)
        on.tell(AWAY)
        pause(on.rng.uniform(0.3, 2.2))
        on.engine.start()
        on.wait_until_seen_again()
        on.tell(BACK)
        return on.check(**{str(number.name): 1})


def power_cut(trial: Trial) -> Verdict:
    """The engine's machine goes down with all that runs on it, and comes back."""
    with sick_engine(trial.seed) as on:
        for _ in range(3):
            on.submit("lasting", LASTING, ANEW)
        on.submit("polite", POLITE, ANEW)
        on.wait_until_all_run()
        on.engine.cut_power()
        pause(on.rng.uniform(0, 2))
        on.engine.start()
        on.tell(BACK)
        return on.check()


def hang(
    trial: Trial, *, seconds: float = 60, options: Mapping[str, float] | None = None
) -> Verdict:
    """dockerd takes connections and answers nothing for so long. What runs goes on running,
    what waits waits, and a neighbour's jobs never notice."""
    with sick_engine(trial.seed, options=options) as on:
        on.world.provider("well", slots=4)
        for _ in range(3):
            on.submit("lasting", LASTING, ONCE)
        on.wait_until_all_run()
        on.engine.hang()
        begun = time.monotonic()
        on.submit("meanwhile", LASTING, ONCE)
        on.wait_for_health("unreachable", 40)
        noticed = time.monotonic() - begun
        neighbours, slowest = 0, 0.0
        while time.monotonic() - begun < seconds or not neighbours:
            asked = time.monotonic()
            on.world.wait_for_end(on.world.submit("true", provider="well"), 60)
            slowest = max(slowest, time.monotonic() - asked)
            neighbours += 1
        threads = on.threads()
        error = on.health().last_error
        on.engine.go_on()
        went_on = time.monotonic()
        on.tell(BACK)
        on.wait_for_health("healthy", 30)
        recovered = time.monotonic() - went_on
        verdict = on.check(
            **{
                "longest until noticed s": round(noticed, 1),
                "longest until healthy again s": round(recovered, 1),
                "most threads": threads,
                "neighbour's jobs": neighbours,
                "longest job of the neighbour s": round(slowest, 2),
            }
        )
        if not error:
            verdict.broken.append("the provider did not say what is wrong")
        return verdict


def left_while_hung(trial: Trial) -> Verdict:
    """The engine process is asked to end while a call to an engine that hangs is under way:
    it ends in time, and the next one finds what came of the call."""
    with sick_engine(trial.seed) as on:
        job = on.submit("stubborn", STUBBORN, (("cancelled",),))
        on.submit("lasting", LASTING, ONCE)
        on.wait_until_all_run()
        job_cancel(SYSTEM, job_id=job.pk)
        wait_until(lambda: on.engine.asked_to("kill"), 20, "the stop is under way")
        on.engine.hang()
        begun = time.monotonic()
        on.process.stop()
        took = time.monotonic() - begun
        on.engine.go_on()
        on.process.start()
        on.tell(BACK)
        return on.check(**{"longest until ended s": round(took, 1)})


def pause(seconds: float) -> None:
    """Let it be so long: the moment of the next fault is chance, not a condition."""
    until = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() >= until, seconds + 60, "the moment of the next fault")


SCENARIOS = [
    Scenario("engine.restart", "docker", 20, partial(restart, live_restore=False)),
    Scenario("engine.restart-live", "docker", 20, partial(restart, live_restore=True)),
    Scenario("engine.power-cut", "docker", 5, power_cut),
    Scenario("engine.hang", "docker", 10, hang),
    Scenario("engine.left-while-hung", "docker", 3, left_while_hung),
]
