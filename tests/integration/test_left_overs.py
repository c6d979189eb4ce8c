"""The ledger of what jobs left on engines: told when it is gone, shown while it is not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from jobs.endings import Ending
from jobs.models import Attempt
from jobs.states import Outcome, Phase
from orchestrator.postgres_store import PostgresStore
from projects.errors import Conflict
from projects.models import Event, InstanceSettings
from providers.driver import Owned, RunState
from providers.leases import Fence
from providers.models import EngineRequest, Provider, Stray
from providers.services import provider_delete
from tests.support.builders import make_actor, make_user
from tests.support.engine_rows import bring_to, move, placed, write
from tests.support.pages import signed_in, words_of

pytestmark = pytest.mark.django_db
HANDLE = {"v": 1, "id": "3fa2c1d4e5f60718"}


@pytest.fixture
def store() -> PostgresStore:
    InstanceSettings.objects.get_or_create(pk=1)
    return PostgresStore("me", 60)


def left(**columns: Any) -> tuple[Attempt, Fence]:
    """An attempt that ended a while ago and whose container was never confirmed removed."""
    attempt, fence = placed()
    write(move(attempt, fence, Phase.CREATING))
    write(move(attempt, fence, Phase.STARTING, handle=HANDLE))
    for phase in (Phase.RUNNING, Phase.FINISHING, Phase.ENDED):
        write(move(attempt, fence, phase))
    ended_at = timezone.now() - timedelta(minutes=5)
    Attempt.objects.filter(pk=attempt.pk).update(**{"ended_at": ended_at} | columns)
    attempt.refresh_from_db()
    return attempt, fence


def thing(uid: str, job: int = 77) -> Owned:
    """Something on the engine."""
    return Owned(
        handle=HANDLE,
        instance="test",
        job=job,
        attempt=1,
        uid=uid,
        term=1,
        state=RunState.RUNNING,
    )


def shown(query: str = "") -> str:
    return words_of(signed_in(make_user(superuser=True)).get(f"/left-overs{query}"))


def test_a_container_that_could_not_be_removed_is_shown_with_why_and_how_often(
    store: PostgresStore,
) -> None:
    attempt, fence = left()
    store.not_removed(fence, attempt.pk, "device or resource busy")
    store.not_removed(fence, attempt.pk, "device or resource busy")
    page = shown()
    assert f"3fa2c1d4e5f6 {attempt.provider.name} job {attempt.job_id}, attempt 1" in page
    assert "2 tries device or resource busy" in page
    job = words_of(signed_in(make_user(superuser=True)).get(f"/jobs/{attempt.job_id}?tab=events"))
    assert "not removed yet: device or resource busy" in job
    store.removed(fence, [attempt.pk])
    assert "Nothing is left" in shown()
    job = words_of(signed_in(make_user(superuser=True)).get(f"/jobs/{attempt.job_id}?tab=events"))
    assert "confirmed removed" in job


def test_what_has_just_ended_is_being_removed_and_is_no_left_over(store: PostgresStore) -> None:
    left(ended_at=timezone.now())
    assert "Nothing is left" in shown()


def test_a_provider_that_does_not_answer_is_the_reason() -> None:
    attempt, _ = left()
    Provider.objects.filter(pk=attempt.provider_id).update(
        health="unreachable", unreachable_since="2026-01-31T12:00:00Z"
    )
    name = attempt.provider.name
    assert f"{name} does not answer since 2026-01-31 12:00:00 UTC." in shown()


def test_one_provider_s_left_overs_are_its_own(store: PostgresStore) -> None:
    mine, _ = left()
    other, _ = left()
    page = shown(f"?provider={mine.provider_id}")
    assert f"job {mine.job_id}," in page
    assert f"job {other.job_id}," not in page


def test_what_a_dead_process_made_and_never_told_becomes_its_attempt_s(
    store: PostgresStore,
) -> None:
    attempt, fence = placed()
    fenced = Ending(Outcome.FENCED, "fenced", {"message": "nothing was made yet"})
    write(move(attempt, fence, Phase.CREATING))
    write(move(attempt, fence, Phase.ENDED, ending=fenced))
    store.swept(fence, attempt.provider_id, thing(str(attempt.uid)), "it is busy")
    attempt.refresh_from_db()
    assert (attempt.handle, attempt.removal_error) == (HANDLE, "it is busy")
    assert not Stray.objects.exists()
    store.swept(fence, attempt.provider_id, thing(str(attempt.uid)), "")
    attempt.refresh_from_db()
    assert attempt.removed_at is not None


def test_what_no_attempt_owns_is_kept_in_mind_until_it_goes_and_then_told(
    store: PostgresStore,
) -> None:
    attempt, fence = placed()
    provider = attempt.provider_id
    for _ in range(2):
        store.swept(fence, provider, thing("stranger"), "it is busy")
    (stray,) = Stray.objects.all()
    assert (stray.job, stray.removal_tries, stray.removal_error) == (77, 2, "it is busy")
    assert "job 77, attempt 1, unknown here" in shown()
    store.swept(fence, provider, thing("stranger"), "")
    assert not Stray.objects.exists()
    swept = Event.objects.get(subject_kind="provider", type="provider.swept")
    assert swept.detail == {"job": 77, "attempt": 1}


def test_a_label_that_is_no_uid_of_ours_is_looked_at_like_any_other(
    store: PostgresStore,
) -> None:
    attempt, _ = placed()
    assert store.live_uids(["stranger", str(attempt.uid)]) == {str(attempt.uid)}


def test_a_stray_that_went_by_itself_is_forgotten(store: PostgresStore) -> None:
    attempt, fence = placed()
    for uid in ("gone", "there"):
        store.swept(fence, attempt.provider_id, thing(uid), "it is busy")
    store.strays_gone(fence, attempt.provider_id, ["there", "another"])
    assert [stray.uid for stray in Stray.objects.all()] == ["there"]


def test_a_lost_lease_tells_nothing_of_what_is_left(store: PostgresStore) -> None:
    attempt, fence = left()
    stale = Fence(fence.name, fence.term - 1)
    store.removed(stale, [attempt.pk])
    store.not_removed(stale, attempt.pk, "busy")
    store.swept(stale, attempt.provider_id, thing("stranger"), "busy")
    attempt.refresh_from_db()
    assert (attempt.removed_at, attempt.removal_tries) == (None, 0)
    assert not Stray.objects.exists()


def test_deleting_a_provider_is_refused_until_what_is_left_is_gone_or_given_up() -> None:
    attempt, _ = left()
    operator = make_actor(make_user(staff=True))
    with pytest.raises(Conflict, match="1 container of ended attempts"):
        provider_delete(operator, attempt.provider_id)
    provider_delete(operator, attempt.provider_id, abandon=True)
    told = Event.objects.get(subject_kind="provider", type="provider.deleted")
    assert told.detail == {"abandoned": 1}
    assert "Nothing is left" in shown()


def test_a_button_asks_the_engine_process_to_try_again() -> None:
    attempt, _ = left()
    browser = signed_in(make_user(staff=True))
    answer = browser.post(f"/providers/{attempt.provider_id}/sweep")
    asked = EngineRequest.objects.get()
    assert asked.kind == "sweep"
    where = f"/left-overs?provider={attempt.provider_id}&request={asked.pk}"
    assert answer["Location"] == where
    assert f"Left-overs on {attempt.provider.name}" in words_of(browser.get(where))


def test_an_attempt_that_made_nothing_leaves_nothing(store: PostgresStore) -> None:
    attempt, fence = placed()
    bring_to(attempt, fence, Phase.ENDED)
    assert store.leftovers(attempt.provider_id) == []
    assert "On the engine" not in words_of(
        signed_in(make_user(superuser=True)).get(f"/jobs/{attempt.job_id}?tab=events")
    )
