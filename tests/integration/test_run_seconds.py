"""How long a job ran: its last attempt's run by the engine's clock, and nothing where no program
ran or nobody was told when it ended."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone

from jobs import transitions
from jobs.endings import Ending
from jobs.last_runs import last_runs
from jobs.models import Attempt, Job
from jobs.states import Outcome, Phase
from projects.actor import SYSTEM
from providers.leases import SCHEDULER, Fence
from providers.models import Lease
from tests.support.attempts import make_attempt
from tests.support.builders import make_job, make_provider, make_user
from tests.support.engine_rows import bring_to, hold, move, placed, row, write
from tests.support.pages import signed_in, words_of

pytestmark = pytest.mark.django_db

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
FAILED = Ending(Outcome.FAILED, "exit_code", {"exit_code": 3}, 3)
AGAIN = {"retry": {"max_attempts": 2, "backoff_seconds": 60}, "queue_timeout_seconds": 600}


def ran_once(seconds: float) -> Job:
    """A job whose first attempt ran so long and failed, and which waits for its retry."""
    attempt, fence = placed(spec=AGAIN)
    bring_to(attempt, fence, Phase.STARTING)
    write(
        move(attempt, fence, Phase.RUNNING, started_at=BEGAN),
        move(attempt, fence, Phase.FINISHING, finished_at=BEGAN + timedelta(seconds=seconds)),
        move(attempt, fence, Phase.ENDED, ending=FAILED),
    )
    job = Job.objects.get(pk=attempt.job_id)
    assert (job.state, job.run_seconds) == ("pending", None)
    return job


def place(job: Job) -> tuple[Attempt, Fence]:
    """Its retry comes due and is placed."""
    Job.objects.filter(pk=job.pk).update(not_before=None)
    scheduler, provider = Fence(SCHEDULER, Lease.objects.get(name=SCHEDULER).term), make_provider()
    with transaction.atomic():
        to = transitions.Placement(job.pk, provider.pk, provider.name)
        assert transitions.place(scheduler, [to])
    attempt = Attempt.objects.get(job=job, number=2)
    return attempt, hold(f"provider:{provider.pk}")


@pytest.fixture
def browser() -> Client:
    return signed_in(make_user("ada", superuser=True))


def cell(browser: Client, job: Job, kind: str) -> str:
    """The words of one cell of the job's row in the list."""
    page = browser.get("/_/jobs/rows?all").content.decode()
    found = re.search(rf'<tr id="job-{job.pk}".*?<td class="c-{kind}[^>]*>(.*?)</td>', page, re.S)
    assert found is not None
    return re.sub(r"<[^>]*>", "", found[1]).strip()


def test_a_job_that_ends_while_it_waits_for_its_retry_ran_as_long_as_its_last_attempt() -> None:
    cancelled, late, never = ran_once(7), ran_once(8), make_job()
    with transaction.atomic():
        transitions.request_cancel([cancelled.pk, never.pk], SYSTEM)
    Job.objects.filter(pk=late.pk).update(queue_until=BEGAN)
    with transaction.atomic():
        transitions.expire(Fence(SCHEDULER, Lease.objects.get(name=SCHEDULER).term))
    ends = [(one["state"], one["run_seconds"]) for one in map(row, (cancelled, late, never))]
    assert ends == [("cancelled", 7.0), ("failed", 8.0), ("cancelled", None)]


def test_of_several_attempts_the_last_one_counts_also_where_it_never_started() -> None:
    job, other = ran_once(7), ran_once(8)
    attempt, fence = place(job)
    began = BEGAN + timedelta(minutes=5)
    bring_to(attempt, fence, Phase.STARTING)
    write(
        move(attempt, fence, Phase.RUNNING, started_at=began),
        move(attempt, fence, Phase.FINISHING, finished_at=began + timedelta(seconds=3)),
        move(attempt, fence, Phase.ENDED),
    )
    assert (row(job)["run_seconds"], row(job)["started_at"]) == (3.0, began)
    attempt, fence = place(other)
    stopped = Ending(Outcome.CANCELLED, "cancelled", {"by": "ada"})
    write(move(attempt, fence, Phase.ENDED, ending=stopped))
    assert (row(other)["state"], row(other)["run_seconds"]) == ("cancelled", None)


def test_a_job_that_waits_for_its_retry_or_is_placed_again_is_not_told_to_run(
    browser: Client,
) -> None:
    waits, again, gone = ran_once(7), ran_once(8), ran_once(9)
    place(again)
    with transaction.atomic():
        transitions.request_cancel([gone.pk], SYSTEM)
    runs = last_runs({(job.project_id, job.name) for job in (waits, again)})
    now = timezone.now()
    for job in (waits, again):
        assert cell(browser, job, "d") == "", "it does not run"
        assert [one.seconds(now) for one in runs[job.project_id, job.name].runs] == [0.0]
    assert cell(browser, waits, "q") != ""
    assert cell(browser, again, "q") == "", "its program has not started since"
    assert (cell(browser, gone, "q"), cell(browser, gone, "d")) == ("", "9.0 s")


def test_a_start_that_an_engine_stamped_before_the_job_was_queued_is_no_negative_wait(
    browser: Client,
) -> None:
    now = timezone.now()
    job = make_job(state="completed", queued_at=now, started_at=now - timedelta(seconds=5))
    assert cell(browser, job, "q") == "0.0 s"


def test_how_long_a_program_ran_is_not_told_where_nobody_saw_its_end(browser: Client) -> None:
    began = timezone.now() - timedelta(hours=3)
    job = make_job(state="failed", reason="provider_lost", started_at=began, run_seconds=None)
    attempt = make_attempt(phase="ended", job=job, reason="provider_lost", started_at=began)
    Attempt.objects.filter(pk=attempt.pk).update(outcome="failed", running_at=began)
    words = words_of(browser.get(f"/jobs/{job.pk}"))
    assert "Failed" in words
    assert "ran for" not in words
    assert "after 3 h" not in words
