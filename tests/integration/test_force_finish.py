"""Force-finish: a person ends what its provider hides, told first what that means."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from jobs import transitions
from jobs.models import Attempt, Job
from jobs.reasons import reason_text
from jobs.services import job_cancel, job_force_finish
from jobs.states import Phase
from jobs.transitions import Written
from projects.actor import SYSTEM
from projects.errors import Conflict, Forbidden, NotFound
from projects.models import Event, Role
from providers.leases import Fence
from tests.support.builders import bearer, make_actor, make_job, make_user
from tests.support.engine_rows import bring_to, move, placed, write
from tests.support.pages import signed_in, words_of

pytestmark = pytest.mark.django_db


def out_of_sight(phase: Phase = Phase.RUNNING, **spec: Any) -> tuple[Attempt, Fence]:
    """An attempt in that phase whose provider does not answer."""
    attempt, fence = placed(spec=spec)
    bring_to(attempt, fence, phase)
    transitions.sight(fence, [attempt.pk], unseen=True, why="connection refused")
    attempt.refresh_from_db()
    return attempt, fence


def kinds(job: int) -> list[tuple[str, str]]:
    found = Event.objects.filter(subject_kind="job", subject_id=job).order_by("pk")
    return list(found.values_list("type", "actor_name"))


def test_an_attempt_that_may_run_is_lost_with_its_provider_and_who_did_it_is_told() -> None:
    attempt, _ = out_of_sight()
    ada = make_actor(make_user("ada", project=attempt.job.project, role=Role.ADMIN))
    job = job_force_finish(ada, job_id=attempt.job_id)
    assert (job.state, job.reason) == ("failed", "provider_lost")
    words = reason_text(job.reason, job.reason_detail)
    assert words.startswith(f"Its provider {attempt.provider.name} was given up for lost: ada")
    attempt.refresh_from_db()
    assert (attempt.phase, attempt.outcome, attempt.log_complete) == ("ended", "failed", False)
    assert attempt.not_seen_since is None
    assert kinds(job.pk)[-3:] == [
        ("attempt.ended", "ada"),
        ("attempt.log_gap", "ada"),
        ("job.failed", "ada"),
    ]


@pytest.mark.parametrize("phase", [Phase.PLACED, Phase.PULLING, Phase.CREATING])
def test_an_attempt_that_cannot_have_started_is_taken_back_free_of_charge(phase: Phase) -> None:
    attempt, _ = out_of_sight(phase)
    job = job_force_finish(SYSTEM, job_id=attempt.job_id)
    assert (job.state, job.reason, job.charged) == ("pending", "requeued", 0)
    attempt.refresh_from_db()
    assert (attempt.outcome, attempt.log_complete) == ("fenced", None)


def test_it_is_tried_again_only_where_the_spec_names_it() -> None:
    attempt, _ = out_of_sight(retry={"max_attempts": 2, "on": ["provider_lost"]})
    job = job_force_finish(SYSTEM, job_id=attempt.job_id)
    assert job.state == "pending"
    assert "free of charge" in reason_text(job.reason, job.reason_detail)


def test_a_retry_after_it_begins_its_wait_when_it_is_due_not_while_it_backs_off() -> None:
    """Its end and the new wait are of one moment: due.sql tells them apart by that."""
    attempt, _ = out_of_sight(
        retry={"max_attempts": 2, "backoff_seconds": 60, "on": ["provider_lost"]}
    )
    job = job_force_finish(SYSTEM, job_id=attempt.job_id)
    attempt.refresh_from_db()
    assert attempt.ended_at == job.queued_at


@pytest.mark.parametrize("target", [Phase.FINISHING, Phase.ENDED, None])
def test_what_its_host_still_tells_of_it_is_refused(target: Phase | None) -> None:
    attempt, fence = out_of_sight()
    job_force_finish(SYSTEM, job_id=attempt.job_id)
    assert write(move(attempt, fence, target)).written == [Written.STALE]
    assert Job.objects.get(pk=attempt.job_id).state == "failed"


def test_a_start_that_was_not_committed_cannot_follow_it() -> None:
    attempt, fence = out_of_sight(Phase.CREATING)
    job_force_finish(SYSTEM, job_id=attempt.job_id)
    assert write(move(attempt, fence, Phase.STARTING)).written == [Written.STALE]


def test_what_can_be_seen_is_to_be_cancelled_instead() -> None:
    attempt, fence = out_of_sight()
    transitions.sight(fence, [attempt.pk], unseen=False, why="")
    with pytest.raises(Conflict, match="its provider answers"):
        job_force_finish(SYSTEM, job_id=attempt.job_id)
    with pytest.raises(Conflict, match="is on no provider"):
        job_force_finish(SYSTEM, job_id=make_job().pk)
    with pytest.raises(Conflict, match="already ended"):
        job_force_finish(SYSTEM, job_id=make_job(state="completed").pk)


def test_submitters_may_cancel_but_not_force() -> None:
    attempt, _ = out_of_sight()
    user = make_user(project=attempt.job.project, role=Role.SUBMITTER)
    with pytest.raises(Forbidden):
        job_force_finish(make_actor(user), job_id=attempt.job_id)
    assert "Force-finish" not in words_of(signed_in(user).get(f"/jobs/{attempt.job_id}"))
    assert job_cancel(make_actor(user), job_id=attempt.job_id).cancel_requested_at is not None


def test_a_superuser_sees_and_ends_the_jobs_of_every_project() -> None:
    attempt, _ = out_of_sight()
    root = signed_in(make_user("root", superuser=True))
    address = f"/jobs/{attempt.job_id}"
    assert "Force-finish" in words_of(root.get(address))
    assert root.post(f"{address}/force-finish").status_code == 302
    assert Job.objects.get(pk=attempt.job_id).reason == "provider_lost"


def test_staff_may_force_the_jobs_that_they_can_see_and_see_those_of_their_projects_only() -> None:
    attempt, _ = out_of_sight()
    stranger = make_actor(make_user("otto", staff=True))
    with pytest.raises(NotFound):
        job_force_finish(stranger, job_id=attempt.job_id)
    viewer = make_user("vera", staff=True, project=attempt.job.project, role=Role.VIEWER)
    assert job_force_finish(make_actor(viewer), job_id=attempt.job_id).state == "failed"


def test_the_page_tells_what_it_means_and_does_it() -> None:
    attempt, _ = out_of_sight()
    browser = signed_in(make_user("ada", project=attempt.job.project, role=Role.ADMIN))
    address = f"/jobs/{attempt.job_id}"
    assert "The program may still run there" in words_of(browser.get(address))
    assert browser.post(f"{address}/force-finish").status_code == 302
    page = words_of(browser.get(address))
    assert "given up for lost" in page
    assert "Force-finish" not in page


def test_the_api_does_it_once() -> None:
    attempt, _ = out_of_sight()
    user = make_user("ada", project=attempt.job.project, role=Role.ADMIN)
    headers: Any = bearer(user)
    address = f"/api/v1/jobs/{attempt.job_id}/force-finish"
    answer = Client().post(address, **headers)
    assert (answer.status_code, answer.json()["reason"]) == (200, "provider_lost")
    again = Client().post(address, **headers)
    assert again.status_code == 409
    assert "already ended" in again.json()["detail"]


def test_the_admin_asks_first_and_says_what_it_means() -> None:
    attempt, _ = out_of_sight()
    root = signed_in(make_user("root", superuser=True))
    data = {"action": "force_finish", "_selected_action": [attempt.job_id]}
    listing = reverse("admin:jobs_job_changelist")
    assert "may still run on providers" in words_of(root.post(listing, data))
    assert Job.objects.get(pk=attempt.job_id).state == "running"
    root.post(listing, data | {"confirmed": "yes"})
    assert Job.objects.get(pk=attempt.job_id).state == "failed"
