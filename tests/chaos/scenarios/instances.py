"""Two whole instances on one engine: each sees its own containers and leaves all others be."""

from __future__ import annotations

import random
import time
import uuid

from providers.driver import (
    LABEL_ATTEMPT,
    LABEL_INSTANCE,
    LABEL_JOB,
    LABEL_TERM,
    LABEL_UID,
)
from tests.chaos.campaign import Scenario, Trial, Verdict
from tests.chaos.ground import ground
from tests.chaos.scenarios.takeovers import pause
from tests.chaos.stage import END_SECONDS
from tests.chaos.whole import Whole, whole
from tests.support.container_starts import containers_of, engine_client, remove_containers
from tests.support.databases import models_on
from tests.support.waiting import wait_until

STRAY_JOB = 990_001
"""Of a container that carries an instance's labels, and that none of its attempts owns."""
SWEPT_SECONDS = 150.0
"""A thing that nobody wants is swept a minute after it was made, at a look each 30 s."""


def two_instances(trial: Trial, *, kills: int = 4, jobs: int = 16) -> Verdict:
    """Jobs run in both, `orchestrate` is killed in both, and both sweep: a stray of each is
    there, and one of an instance that is not, which nobody may touch."""
    rng = random.Random(trial.seed)
    stranger = str(uuid.uuid4())
    try:
        with whole() as one, whole() as two:
            pair = (one, two)
            for instance in (one.instance, two.instance, stranger):
                _leave_stray(instance)
            begun = time.monotonic()
            for number in range(jobs):
                for on in pair:
                    on.submit(number, lines=rng.choice([8, 40]))
                if number % (jobs // kills) == 0:
                    pause(rng.uniform(0, 1.5))
                    for on in pair:
                        on.kill("orchestrate")
            wait_until(lambda: not _strays(pair), SWEPT_SECONDS, "both have swept their strays")
            swept = round(time.monotonic() - begun, 1)
            verdicts = [_end(on) for on in pair]
            broken = [wrong for verdict in verdicts for wrong in verdict.broken]
            if one.instance == two.instance:
                broken.append("both have the same instance id")
            if len(containers_of(stranger)) != 1:
                broken.append("the container of a stranger is gone")
            figures = {
                word: max(v.figures[word] for v in verdicts)
                if word.startswith("most ")
                else sum(v.figures[word] for v in verdicts)
                for word in verdicts[0].figures
            }
            figures |= {"kills": 2 * kills, "longest until swept s": swept}
            return Verdict(figures, broken)
    finally:
        remove_containers(stranger)


def _leave_stray(instance: str) -> None:
    """A container as an instance would make it, of an attempt that it does not have."""
    labels = {
        LABEL_INSTANCE: instance,
        LABEL_JOB: str(STRAY_JOB),
        LABEL_ATTEMPT: "1",
        LABEL_UID: str(uuid.uuid4()),
        LABEL_TERM: "1",
    }
    client = engine_client()
    try:
        client.create_container(ground().image, ["true"], labels=labels)
    finally:
        client.close()


def _strays(pair: tuple[Whole, Whole]) -> list[str]:
    """Those of both that are still there."""
    client = engine_client()
    try:
        label = f"{LABEL_JOB}={STRAY_JOB}"
        found = client.containers(all=True, filters={"label": label})
    finally:
        client.close()
    owners = {on.instance for on in pair}
    return [str(c["Id"]) for c in found if c["Labels"][LABEL_INSTANCE] in owners]


def _end(on: Whole) -> Verdict:
    """The end of one instance's jobs; the models are on its database meanwhile."""
    with models_on(on.gantry.database_url):
        on.wait_for_end(END_SECONDS)
        verdict = on.check()
    swept = on.gantry.output().count(f"sweeping what is left of job {STRAY_JOB} ")
    if swept != 1:
        verdict.broken.append(f"it swept {swept} strays, not its own one")
    return verdict


SCENARIOS = [Scenario("whole.two-instances", "docker", 5, two_instances)]
