"""A stored spec that cannot be read fails its own job in plain words, and holds up no other."""

from __future__ import annotations

from typing import Any

import pytest

from jobs.endings import Ending
from jobs.models import Attempt, Job
from jobs.queue_classes import give_classes
from jobs.states import Outcome, Phase
from orchestrator.postgres_store import PostgresStore
from orchestrator.scheduling.policy import plan
from orchestrator.scheduling.snapshot import Key, Overflow
from projects.models import InstanceSettings
from providers.leases import SCHEDULER
from tests.support.builders import make_job, make_provider, make_user
from tests.support.engine_rows import bring_to, hold, move, placed, row, write
from tests.support.pages import signed_in, words_of

pytestmark = pytest.mark.django_db

MALFORMED: list[tuple[Any, str]] = [
    ({"requires": [{"op": "eq"}]}, "its requirements: there is no 'key'"),
    ({"requires": 5}, "its requirements: "),
    ({"requires": "abc"}, "its requirements: "),
    ({"mounts": [{"target": "/x"}]}, "there is no 'source'"),
    ({"env": "A=1"}, "not a mapping"),
    ({"resources": {"timeout_seconds": "soon"}}, "its resources: "),
    ({"resources": []}, ""),
    ([1, 2], "no attribute 'get'"),
    ("words", "no attribute 'get'"),
]


@pytest.fixture
def store() -> PostgresStore:
    InstanceSettings.objects.get_or_create(pk=1)
    return PostgresStore("me", 60)


@pytest.mark.parametrize(("spec", "why"), MALFORMED[:6] + MALFORMED[7:])
def test_it_is_placed_like_any_other_and_ended_before_anything_is_made(
    store: PostgresStore, spec: Any, why: str
) -> None:
    provider = make_provider("here")
    bad, good = make_job(), make_job()
    Job.objects.filter(pk=bad.pk).update(spec=spec)
    assert store.commit_plan(hold(SCHEDULER), plan(store.snapshot()))[0] == 2
    unfit, fit = sorted(store.placed([provider.pk]), key=lambda order: order.job)
    assert fit.unfit is None
    assert fit.job == good.pk
    assert unfit.unfit is not None
    assert (unfit.unfit.outcome, unfit.unfit.reason) == (Outcome.FAILED, "spec_unreadable")
    assert why in unfit.unfit.detail["message"]


def test_a_word_for_overflow_that_is_none_of_ours_means_to_queue(store: PostgresStore) -> None:
    bad, good = make_job(queue_class=None), make_job()
    Job.objects.filter(pk=bad.pk).update(spec={"concurrency": {"key": "a", "on_overflow": "drop"}})
    give_classes()
    keys = {one.jobs: one.key for one in store.snapshot().classes}
    assert keys == {(bad.pk,): Key("a", 1, Overflow.QUEUE), (good.pk,): None}


@pytest.mark.parametrize("spec", [spec for spec, _ in MALFORMED])
def test_one_that_runs_already_is_found_and_ends_as_it_did(store: PostgresStore, spec: Any) -> None:
    attempt, fence = placed()
    bring_to(attempt, fence, Phase.FINISHING)
    Job.objects.filter(pk=attempt.job_id).update(spec=spec)
    (order,) = store.live(attempt.provider_id)
    assert (order.run.uid, order.phase) == (str(attempt.uid), Phase.FINISHING)
    write(move(attempt, fence, Phase.ENDED))
    assert row(Job(pk=attempt.job_id))["state"] == "completed"


@pytest.mark.parametrize("retry", [5, "twice", {"max_attempts": "many"}, {"on": 7}, [1]])
def test_a_retry_policy_that_cannot_be_read_asks_for_no_retry(retry: Any) -> None:
    attempt, fence = placed()
    bring_to(attempt, fence, Phase.RUNNING)
    Job.objects.filter(pk=attempt.job_id).update(spec={"retry": retry})
    failed = Ending(Outcome.FAILED, "exit_code", {"exit_code": 3}, 3)
    write(move(attempt, fence, Phase.ENDED, ending=failed))
    assert row(Job(pk=attempt.job_id))["state"] == "failed"
    assert Attempt.objects.get(pk=attempt.pk).outcome == "failed"


@pytest.mark.parametrize("spec", [spec for spec, _ in MALFORMED])
def test_its_page_opens(spec: Any) -> None:
    job = make_job(state="failed", reason="spec_unreadable", reason_detail={"message": "no"})
    Job.objects.filter(pk=job.pk).update(spec=spec)
    browser = signed_in(make_user(superuser=True))
    for tab in ("log", "events", "spec"):
        page = browser.get(f"/jobs/{job.pk}?tab={tab}")
        assert page.status_code == 200
        assert "Its stored spec cannot be read: no" in words_of(page)
