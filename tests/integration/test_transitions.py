"""The only writer of state: each move by the table, each refused one without a trace."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from jobs import transitions
from jobs.endings import Ending
from jobs.models import Attempt, Job
from jobs.states import JOB_EDGES, STARTED_PHASES, TERMINAL, JobState, Outcome, Phase, phase_edge
from jobs.transitions import Wait, Written, Yielding
from projects.actor import SYSTEM
from projects.models import Event
from providers.leases import SCHEDULER, Fence
from providers.models import Lease
from tests.support.attempts import make_attempt
from tests.support.builders import make_job
from tests.support.engine_rows import (
    SUCCEEDED,
    bring_to,
    hold,
    move,
    placed,
    row,
    take_over,
    write,
)

pytestmark = pytest.mark.django_db

FENCED = Ending(Outcome.FENCED, "fenced", {"message": "its engine process had ended"})
ENDINGS = {phase: SUCCEEDED if phase in STARTED_PHASES else FENCED for phase in Phase}
FAILED = Ending(Outcome.FAILED, "exit_code", {"exit_code": 3}, 3)


@pytest.mark.parametrize("target", Phase)
@pytest.mark.parametrize("source", Phase)
def test_an_attempt_moves_by_the_table_and_by_nothing_else(source: Phase, target: Phase) -> None:
    attempt, fence = placed()
    bring_to(attempt, fence, source)
    before, job_before = row(attempt), row(attempt.job)
    events = Event.objects.count()
    facts = {"ending": ENDINGS[source]} if target is Phase.ENDED else {}
    (written,) = write(move(attempt, fence, target, **facts)).written
    if phase_edge(source, target):
        assert written is Written.DONE
        assert row(attempt)["phase"] == target
        assert row(attempt)["term"] == fence.term
        assert row(attempt.job)["rev"] == job_before["rev"] + 1
        told = Event.objects.filter(type=f"attempt.{target}").last()
        assert told is not None
        assert (told.source, told.target) == (source, target)
        assert (told.subject_id, told.project_id) == (attempt.job_id, job_before["project_id"])
    else:
        assert written is Written.STALE
        assert row(attempt) == before
        assert row(attempt.job) == job_before
        assert Event.objects.count() == events


def test_a_move_that_expects_less_than_the_table_is_refused_elsewhere() -> None:
    attempt, fence = placed()
    bring_to(attempt, fence, Phase.CREATING)
    early = frozenset({Phase.PLACED, Phase.PULLING})
    (written,) = write(move(attempt, fence, Phase.ENDED, expect=early)).written
    assert written is Written.STALE
    assert row(attempt)["phase"] == Phase.CREATING


def test_a_job_follows_its_attempt_from_queue_to_end() -> None:
    attempt, fence = placed()
    assert row(attempt.job)["state"] == "scheduled"
    bring_to(attempt, fence, Phase.STARTING)
    assert row(attempt.job)["state"] == "scheduled"
    began = datetime(2026, 1, 1, tzinfo=UTC)
    write(move(attempt, fence, Phase.RUNNING, started_at=began))
    job = row(attempt.job)
    assert (job["state"], job["reason"], job["started_at"]) == ("running", "", began)
    # Its container had been started again meanwhile, by another hand.
    again, exit_at = began + timedelta(seconds=2), began + timedelta(seconds=3.5)
    write(move(attempt, fence, Phase.FINISHING, started_at=again, finished_at=exit_at))
    write(move(attempt, fence, Phase.ENDED, log_complete=True))
    job, ended = row(attempt.job), row(attempt)
    assert (job["state"], job["reason"], job["exit_code"]) == ("completed", "succeeded", 0)
    assert job["finished_at"] is not None
    assert (job["started_at"], ended["started_at"], job["run_seconds"]) == (began, began, 3.5)
    assert (ended["outcome"], ended["log_complete"]) == ("completed", True)
    assert [e.type for e in Event.objects.filter(subject_id=attempt.job_id).order_by("id")] == [
        "job.placed",
        "attempt.creating",
        "attempt.starting",
        "attempt.running",
        "job.started",
        "attempt.finishing",
        "attempt.ended",
        "job.completed",
    ]


def test_several_moves_of_one_attempt_in_one_batch_are_written_in_their_order() -> None:
    attempt, fence = placed()
    other, other_fence = placed()
    result = write(
        move(attempt, fence, Phase.CREATING),
        move(other, other_fence, Phase.PULLING),
        move(attempt, fence, Phase.STARTING, handle={"v": 1, "id": "x"}),
        move(attempt, fence, Phase.RUNNING),
        move(other, other_fence, Phase.RUNNING),
        move(attempt, fence, Phase.FINISHING),
        move(attempt, fence, Phase.ENDED),
    )
    assert result.written == [Written.DONE] * 4 + [Written.STALE] + [Written.DONE] * 2
    assert row(attempt)["phase"] == "ended"
    assert row(attempt)["handle"] == {"v": 1, "id": "x"}
    assert row(attempt.job)["state"] == "completed"
    assert row(other)["phase"] == "pulling"
    told = {change.id: change.rev for change in result.jobs}
    assert {attempt.job_id, other.job_id} == set(told)
    assert max(c.rev for c in result.jobs if c.id == attempt.job_id) == row(attempt.job)["rev"]


def test_one_batch_from_creating_to_the_end_tells_each_step_and_is_a_row_version_each() -> None:
    attempt, fence = placed()
    began = datetime(2026, 1, 1, tzinfo=UTC)
    rev = row(attempt.job)["rev"]
    gap = {"log_complete": False, "log_note": "it was cut"}
    write(
        move(attempt, fence, Phase.CREATING),
        move(attempt, fence, Phase.STARTING, handle={"v": 1, "id": "x"}),
        move(attempt, fence, Phase.RUNNING, started_at=began),
        move(attempt, fence, Phase.FINISHING, finished_at=began),
        move(attempt, fence, Phase.ENDED, **gap),
    )
    ended, job = row(attempt), row(attempt.job)
    assert (job["state"], job["started_at"], job["rev"]) == ("completed", began, rev + 1)
    assert (ended["started_at"], ended["finished_at"]) == (began, began)
    assert all(ended[f"{p}_at"] for p in ("creating", "starting", "running", "finishing", "ended"))
    assert ended["pulling_at"] is None
    told = Event.objects.filter(subject_id=attempt.job_id).order_by("id")
    assert [(e.type, e.source, e.target, e.reason) for e in told][1:] == [
        ("attempt.creating", "placed", "creating", ""),
        ("attempt.starting", "creating", "starting", ""),
        ("attempt.running", "starting", "running", ""),
        ("job.started", "scheduled", "running", ""),
        ("attempt.finishing", "running", "finishing", ""),
        ("attempt.ended", "finishing", "ended", "succeeded"),
        ("attempt.log_gap", "", "", "log_gap"),
        ("job.completed", "running", "completed", "succeeded"),
    ]


def test_moves_that_had_been_written_before_do_not_keep_those_after_them_from_being() -> None:
    """As after a commit whose answer was lost: the same moves come again, with later ones."""
    attempt, fence = placed()
    bring_to(attempt, fence, Phase.RUNNING)
    again = write(
        move(attempt, fence, Phase.STARTING),
        move(attempt, fence, Phase.RUNNING),
        move(attempt, fence, Phase.FINISHING),
    )
    assert again.written == [Written.STALE, Written.STALE, Written.DONE]
    assert row(attempt)["phase"] == "finishing"


def test_a_job_whose_start_is_told_with_the_loss_of_it_waits_anew() -> None:
    """Its program has run: it stands behind, as when its start was told before."""
    attempt, fence = placed()
    bring_to(attempt, fence, Phase.STARTING)
    early = datetime(2026, 1, 1, tzinfo=UTC)
    Job.objects.filter(pk=attempt.job_id).update(queued_at=early)
    lost = Ending(Outcome.FAILED, "engine_stopped", {})
    write(move(attempt, fence, Phase.RUNNING), move(attempt, fence, Phase.ENDED, ending=lost))
    job = row(attempt.job)
    assert (job["state"], job["charged"]) == ("pending", 0)
    assert job["queued_at"] > early
    assert Event.objects.filter(subject_id=attempt.job_id, type="job.retried").exists()


def test_a_stale_term_writes_nothing_and_its_neighbours_are_written() -> None:
    stale, old = placed()
    good, fence = placed()
    take_over(old)
    before = row(stale), row(stale.job)
    result = write(move(stale, old, Phase.CREATING), move(good, fence, Phase.CREATING))
    assert result.written == [Written.FENCED, Written.DONE]
    assert (row(stale), row(stale.job)) == before
    assert not Event.objects.filter(type="attempt.creating", subject_id=stale.job_id).exists()


def test_a_failure_with_a_retry_left_goes_back_to_the_queue_and_is_charged() -> None:
    attempt, fence = placed(spec={"retry": {"max_attempts": 2, "backoff_seconds": 60}})
    bring_to(attempt, fence, Phase.FINISHING)
    write(move(attempt, fence, Phase.ENDED, ending=FAILED))
    job = row(attempt.job)
    assert (job["state"], job["reason"], job["charged"]) == ("pending", "backoff", 1)
    assert 55 < (job["not_before"] - job["queued_at"]).total_seconds() < 65
    assert (job["provider_id"], job["finished_at"]) == (None, None)
    assert job["reason_detail"]["next"] == 2
    assert Event.objects.filter(subject_id=attempt.job_id, type="job.retried").exists()


def test_a_reason_counts_from_when_it_came_not_from_when_the_wait_began() -> None:
    placed()
    scheduler = Fence(SCHEDULER, Lease.objects.get(name=SCHEDULER).term)
    early = datetime(2026, 1, 1, tzinfo=UTC)
    kind = make_job(queued_at=early, reason="no_capacity", reason_since=early).queue_class
    assert kind is not None
    transitions.explain(scheduler, [Wait(kind.pk, "no_capacity", {"need": "1 CPU"})])
    kind.refresh_from_db()
    assert kind.since == early
    transitions.explain(scheduler, [Wait(kind.pk, "no_match", {})])
    kind.refresh_from_db()
    assert kind.since > early


def test_an_attempt_that_never_started_costs_its_job_nothing() -> None:
    attempt, fence = placed()
    bring_to(attempt, fence, Phase.CREATING)
    write(move(attempt, fence, Phase.ENDED, ending=FENCED))
    job = row(attempt.job)
    assert (job["state"], job["reason"], job["charged"]) == ("pending", "requeued", 0)
    assert Event.objects.filter(subject_id=attempt.job_id, type="job.requeued").exists()


def test_a_cancel_asked_for_before_the_end_keeps_a_failed_job_from_its_retry() -> None:
    attempt, fence = placed(spec={"retry": {"max_attempts": 5}})
    bring_to(attempt, fence, Phase.FINISHING)
    transitions.request_cancel([attempt.job_id], SYSTEM)
    write(move(attempt, fence, Phase.ENDED, ending=FAILED))
    job = row(attempt.job)
    assert (job["state"], job["reason"]) == ("cancelled", "cancelled")
    assert job["reason_detail"] == {"by": "Gantry"}


def test_hostile_words_of_an_engine_are_stored_and_harm_nobody() -> None:
    """What an engine says in an error may hold anything; no end may fail to be written."""
    attempt, fence = placed()
    bring_to(attempt, fence, Phase.STARTING)
    words = "exec \x00\x1b[31m<script>\ud800 failed: " + "é" * 70_000
    ending = Ending(Outcome.FAILED, "could_not_start", {"message": words}, 127)
    note = "the engine did not give the rest of it: \x00" + "x" * 400
    result = write(move(attempt, fence, Phase.ENDED, ending=ending, log_note=note))
    assert result.written == [Written.DONE]
    assert "<script>" in row(attempt.job)["reason_detail"]["message"]
    assert row(attempt)["log_note"].startswith("the engine did not give")


# --- what people ask ----------------------------------------------------------------


@pytest.mark.parametrize("state", JobState)
def test_a_cancel_ends_a_waiting_job_tells_an_active_one_and_leaves_an_ended_one(
    state: JobState,
) -> None:
    job = make_job(state=state)
    before = row(job)
    result = transitions.request_cancel([job.pk], SYSTEM)
    after = row(job)
    if state is JobState.PENDING:
        assert result.cancelled == [job.pk]
        assert (after["state"], after["reason"]) == ("cancelled", "cancelled")
        assert after["finished_at"] is not None
    elif state in TERMINAL:
        assert result.already == [job.pk]
        assert after == before
    else:
        assert result.requested == [job.pk]
        assert after["state"] == state
        assert after["cancel_requested_at"] is not None
        again = transitions.request_cancel([job.pk], SYSTEM)
        assert (again.cancelled, again.requested, again.already) == ([], [], [])
        assert row(job) == after


def test_many_that_give_way_to_one_take_as_many_queries_as_one() -> None:
    scheduler, queries = hold(SCHEDULER), []
    for count in (1, 20):
        waiting = [make_job().pk for _ in range(count)]
        active = make_job(state=JobState.RUNNING).pk
        gone = [Yielding(job, "deploy", 7) for job in (*waiting, active)]
        with CaptureQueriesContext(connection) as captured, transaction.atomic():
            changes = transitions.yield_to(scheduler, gone)
        queries.append(len(captured))
        assert {change.id: change.ended for change in changes} == {
            **dict.fromkeys(waiting, True),
            active: False,
        }
        (by,) = set(
            Job.objects.filter(pk__in=[*waiting, active]).values_list(
                "cancel_requested_by", flat=True
            )
        )
        assert by == "job 7 of its key deploy"
    assert queries[0] == queries[1]


@pytest.mark.parametrize("state", JobState)
def test_only_a_held_job_that_waits_is_released(state: JobState) -> None:
    held, free = make_job(state=state, held=True), make_job(state=state)
    before = row(held), row(free)
    released = transitions.release([held.pk, free.pk], SYSTEM)
    if state is JobState.PENDING:
        assert (released.changed, released.same, released.left) == ([held.pk], [free.pk], [])
        assert (row(held)["held"], row(held)["reason"]) == (False, "queued")
        assert row(free) == before[1]
    else:
        assert (released.changed, released.left) == ([], [held.pk, free.pk])
        assert (row(held), row(free)) == before


def test_a_refused_submission_leaves_nothing() -> None:
    job = make_job()
    new = transitions.NewJob(
        project_id=job.project_id, name="x", spec={}, image="i", cpu_millis=1, memory_mb=1,
        priority=101,
    )  # fmt: skip
    with pytest.raises(IntegrityError), transaction.atomic():
        transitions.submit(new, SYSTEM)
    assert Job.objects.count() == 1
    assert not Event.objects.exists()


# --- what the schema itself refuses --------------------------------------------------


@pytest.mark.parametrize(
    ("state", "wrong"),
    [
        ("pending", {"state": "lost"}),
        ("pending", {"state": "scheduled"}),  # without a provider
        ("pending", {"state": "completed"}),  # without a time of its end
        ("pending", {"finished_at": datetime(2026, 1, 1, tzinfo=UTC)}),
        ("completed", {"finished_at": None}),
        ("running", {"provider": None}),
        ("pending", {"priority": 101}),
        ("pending", {"priority": -1}),
    ],
)
def test_the_schema_refuses_a_job_that_cannot_be(state: str, wrong: dict[str, object]) -> None:
    job = make_job(state=state)
    with pytest.raises(IntegrityError), transaction.atomic():
        Job.objects.filter(pk=job.pk).update(**wrong)


@pytest.mark.parametrize(
    ("phase", "wrong"),
    [
        ("running", {"phase": "lost"}),
        ("running", {"phase": "ended"}),
        ("running", {"outcome": "completed"}),
        ("running", {"ended_at": datetime(2026, 1, 1, tzinfo=UTC)}),
        ("ended", {"outcome": ""}),
        ("ended", {"outcome": "lost"}),
        ("ended", {"phase": "running"}),
    ],
)
def test_the_schema_refuses_an_attempt_that_cannot_be(phase: str, wrong: dict[str, object]) -> None:
    attempt = make_attempt(phase=phase)
    with pytest.raises(IntegrityError), transaction.atomic():
        Attempt.objects.filter(pk=attempt.pk).update(**wrong)


def test_the_schema_refuses_a_second_live_attempt_and_a_second_of_the_same_number() -> None:
    attempt = make_attempt(phase="running")
    for number in (1, 2):
        with pytest.raises(IntegrityError), transaction.atomic():
            make_attempt(phase="placed", job=attempt.job, number=number)


def test_every_job_edge_is_known_by_its_states() -> None:
    for edge in JOB_EDGES:
        assert edge.source not in TERMINAL
        assert {edge.source, edge.target} <= set(JobState)


def test_an_end_without_its_ending_is_refused_loudly() -> None:
    attempt, fence = placed()
    before = row(attempt)
    with pytest.raises(IntegrityError), transaction.atomic():
        transitions.apply([move(attempt, fence, Phase.ENDED, ending=None)])
    assert row(attempt) == before
