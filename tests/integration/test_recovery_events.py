"""Everything decided in recovery is an event on the job, written with the decision."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from jobs import transitions
from jobs.endings import Ending
from jobs.models import Attempt, Job
from jobs.notes import adopted
from jobs.reasons import reason_text
from jobs.states import Outcome, Phase
from projects.models import Event
from providers.leases import Fence
from tests.support.builders import bearer, make_user
from tests.support.engine_rows import bring_to, move, placed, take_over, write
from tests.support.pages import signed_in, words_of

pytestmark = pytest.mark.django_db

FENCED = Ending(Outcome.FENCED, "fenced", {"message": "nothing was made yet"})
FAILED = Ending(Outcome.FAILED, "exit_code", {"exit_code": 3}, 3)


def told(job: int) -> list[tuple[str, str]]:
    """The events of a job, oldest first: type and words."""
    found = Event.objects.filter(subject_kind="job", subject_id=job).order_by("pk")
    return [(e.type, reason_text(e.reason, e.detail) if e.reason else "") for e in found]


def last(job: int) -> tuple[str, str]:
    return told(job)[-1]


def sight(fence: Fence, attempt: Attempt, *, unseen: bool, why: str = "") -> list[int]:
    changes = transitions.sight(fence, [attempt.pk], unseen=unseen, why=why)
    for change in changes:
        assert change.rev == Job.objects.get(pk=change.id).rev
    return [change.id for change in changes]


def test_a_job_that_nothing_disturbs_has_no_event_of_recovery() -> None:
    attempt, fence = placed()
    bring_to(attempt, fence, Phase.ENDED)
    assert [kind for kind, _ in told(attempt.job_id)] == [
        "job.placed", "attempt.creating", "attempt.starting", "attempt.running", "job.started",
        "attempt.finishing", "attempt.ended", "job.completed",
    ]  # fmt: skip


def test_being_taken_up_by_another_process_is_told_with_who_and_what_was_found() -> None:
    attempt, fence = placed()
    bring_to(attempt, fence, Phase.RUNNING)
    taken = take_over(fence)
    note = adopted("host/9/f00", taken.term, "its program runs")
    write(move(attempt, taken, None, notes=(note,)))
    assert last(attempt.job_id) == (
        "attempt.adopted",
        f"Taken up by the engine process host/9/f00 (term {taken.term}): its program runs.",
    )


def test_a_note_of_a_lost_lease_is_not_told() -> None:
    attempt, fence = placed()
    bring_to(attempt, fence, Phase.RUNNING)
    take_over(fence)
    before = told(attempt.job_id)
    write(move(attempt, fence, None, notes=(adopted("old", fence.term, "its program runs"),)))
    assert told(attempt.job_id) == before


def test_out_of_sight_and_back_are_each_told_once_with_cause_and_time() -> None:
    attempt, fence = placed()
    bring_to(attempt, fence, Phase.RUNNING)
    assert sight(fence, attempt, unseen=True, why="connection refused") == [attempt.job_id]
    assert sight(fence, attempt, unseen=True, why="connection refused") == []
    assert last(attempt.job_id) == (
        "attempt.not_seen",
        "Its provider does not answer, so it may still run there: connection refused",
    )
    assert sight(fence, attempt, unseen=False) == [attempt.job_id]
    assert sight(fence, attempt, unseen=False) == []
    kind, words = last(attempt.job_id)
    assert kind == "attempt.seen_again"
    assert words.startswith("Its provider answers again; it was out of sight for 0.")
    assert sight(take_over(fence), attempt, unseen=True)
    assert sight(fence, attempt, unseen=False) == []


def test_an_ended_attempt_is_not_missed() -> None:
    attempt, fence = placed()
    bring_to(attempt, fence, Phase.ENDED)
    assert sight(fence, attempt, unseen=True) == []


@pytest.mark.parametrize("stored_by", ["the end", "a write before"])
def test_an_incomplete_log_is_told_with_its_cause(stored_by: str) -> None:
    attempt, fence = placed()
    bring_to(attempt, fence, Phase.FINISHING)
    if stored_by == "a write before":
        Attempt.objects.filter(pk=attempt.pk).update(log_complete=False, log_note="it was cut")
        write(move(attempt, fence, Phase.ENDED, log_complete=True))
    else:
        write(move(attempt, fence, Phase.ENDED, log_complete=False, log_note="it was cut"))
    kinds = [kind for kind, _ in told(attempt.job_id)]
    assert kinds[-3:] == ["attempt.ended", "attempt.log_gap", "job.completed"]
    assert told(attempt.job_id)[-2][1] == "Its log is not complete: it was cut"


def test_back_in_the_queue_says_that_it_is_free_of_charge() -> None:
    attempt, fence = placed(spec={"retry": {"max_attempts": 3, "backoff_seconds": 0}})
    write(move(attempt, fence, Phase.ENDED, ending=FENCED))
    words = "Back in the queue, free of charge: Taken back before it started: nothing was made yet"
    assert last(attempt.job_id) == ("job.requeued", words)


def test_a_retry_says_which_of_how_many_it_is() -> None:
    attempt, fence = placed(spec={"retry": {"max_attempts": 3, "backoff_seconds": 4}})
    bring_to(attempt, fence, Phase.RUNNING)
    write(move(attempt, fence, Phase.ENDED, ending=FAILED))
    assert last(attempt.job_id) == (
        "job.retried",
        "Waiting 4 s before attempt 2, as retry 1 of 2. "
        "The last one: The program exited with code 3.",
    )


def test_the_common_path_takes_no_statement_more_for_it() -> None:
    attempt, fence = placed()
    bring_to(attempt, fence, Phase.STARTING)
    with CaptureQueriesContext(connection) as queries:
        write(move(attempt, fence, Phase.RUNNING))
    telling = [q["sql"] for q in queries if "INSERT INTO projects_event" in q["sql"]]
    assert ["UPDATE jobs_attempt" in text for text in telling] == [True]


def test_page_and_api_show_what_was_decided() -> None:
    attempt, fence = placed()
    bring_to(attempt, fence, Phase.RUNNING)
    sight(fence, attempt, unseen=True, why="connection refused")
    user = make_user("root", superuser=True)
    page = words_of(signed_in(user).get(f"/jobs/{attempt.job_id}?tab=events"))
    assert "Attempt not seen Its provider does not answer" in page
    address = f"/api/v1/jobs/{attempt.job_id}/events"
    answer = Client().get(address, **bearer(user))  # type: ignore[arg-type]
    assert answer.json()["items"][-1]["reason_text"].endswith(": connection refused")
