"""People and the planner at the same job at the same moment: one of them comes first, and the
other is told so."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import transaction

from jobs import acts
from jobs.models import Attempt, Job
from jobs.services import job_submit
from orchestrator.postgres_store import PostgresStore
from orchestrator.scheduling.policy import plan
from projects.actor import SYSTEM
from projects.errors import Conflict
from projects.notify import ENGINE_CHANNEL, LIVE_CHANNEL
from tests.support.builders import make_provider, make_spec
from tests.support.connections import OtherSession, blocked_sessions, listening, other_session
from tests.support.engine_rows import hold
from tests.support.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

ACTS: dict[str, tuple[Callable[..., Job], dict[str, Any]]] = {
    "hold": (acts.job_hold, {"note": "later"}),
    "reprioritise": (acts.job_reprioritise, {"priority": 90}),
    "move": (acts.job_move, {"provider": "node-2"}),
}


@pytest.fixture
def other() -> Iterator[OtherSession]:
    with other_session() as session:
        yield session


@pytest.fixture
def job() -> Job:
    """A job in line, which the planner would place on node-1."""
    make_provider("node-1")
    make_provider("node-2")
    return job_submit(SYSTEM, data=make_spec())[0]


@pytest.mark.parametrize("act", ACTS)
def test_a_plan_that_was_made_before_an_act_places_nothing_of_it(job: Job, act: str) -> None:
    store, fence = PostgresStore("me", 10), hold()
    made = plan(store.snapshot())
    assert [placed.provider_name for placed in made.placements] == ["node-1"]
    function, data = ACTS[act]
    function(SYSTEM, job_id=job.pk, data=data)
    count, _ = store.commit_plan(fence, made)
    assert count == 0
    assert Job.objects.get(pk=job.pk).state == "pending"
    again = plan(store.snapshot()).placements
    assert [placed.provider_name for placed in again] == {
        "hold": [],
        "reprioritise": ["node-1"],
        "move": ["node-2"],
    }[act]
    store.commit_plan(fence, plan(store.snapshot()))
    assert Attempt.objects.filter(job=job).count() == len(again)


@pytest.mark.parametrize("act", ACTS)
def test_an_act_that_comes_while_the_planner_places_it_is_told_so(
    job: Job, act: str, other: OtherSession
) -> None:
    store, fence = PostgresStore("me", 10), hold()
    function, data = ACTS[act]

    def acted() -> str:
        try:
            function(SYSTEM, job_id=job.pk, data=data)
        except Conflict as refused:
            return str(refused)
        return "done"

    made = plan(store.snapshot())
    with transaction.atomic():
        assert store.commit_plan(fence, made)[0] == 1
        answer = other.begin(acted)
        wait_until(lambda: blocked_sessions() == 1, 10, "the act waits for the planner")
    assert answer.result(10) == (
        f"Job {job.pk} waits no more: it is scheduled on node-1."
        " To change that, cancel it and run it again."
    )
    assert Job.objects.get(pk=job.pk).priority == 50


@pytest.mark.parametrize("act", ACTS)
def test_an_act_wakes_the_planner_and_tells_the_pages(job: Job, act: str) -> None:
    function, data = ACTS[act]
    with listening(ENGINE_CHANNEL) as engine, listening(LIVE_CHANNEL) as pages:
        function(SYSTEM, job_id=job.pk, data=data)
        rev = Job.objects.get(pk=job.pk).rev
        assert rev == job.rev + 1
        (told,) = pages()
        assert json.loads(told)["jobs"] == [[job.pk, rev, job.project_id]]
        assert bool(engine()) is (act != "hold")
        function(SYSTEM, job_id=job.pk, data=data)
        assert (pages(), engine()) == ([], [])  # it was so already
