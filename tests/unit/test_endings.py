"""What an exit means, and what becomes of the job after it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.endings import (
    FREE_MOST,
    Ending,
    RetryPolicy,
    Step,
    StopCause,
    classify,
    next_step,
    overdue,
    restarted_outside,
)
from jobs.reasons import ENDS, REASONS, RETRYABLE, Blame, blame, reason_text
from jobs.states import JobState, Outcome, Who, job_edge
from providers.driver import Observation, RunState

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
CANCEL = StopCause("cancelled", {"by": "ann"}, NOON)
TIMEOUT = StopCause("timeout", {"limit": "5 s"}, NOON)


def exited(code: int | None, **facts: object) -> Observation:
    """A program that ended at 12:00:01, one second after a stop at noon."""
    told = {"finished_at": NOON + timedelta(seconds=1)} | facts
    return Observation(RunState.EXITED, code, **told)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("seen", "stop", "outcome", "reason", "code"),
    [
        (exited(0), None, Outcome.COMPLETED, "succeeded", 0),
        (exited(3), None, Outcome.FAILED, "exit_code", 3),
        (exited(127), None, Outcome.FAILED, "exit_code", 127),
        (exited(130), None, Outcome.FAILED, "exit_code", 130),
        (exited(137), None, Outcome.FAILED, "signalled", 137),
        (exited(139), None, Outcome.FAILED, "signalled", 139),
        (exited(137, oom_killed=True), None, Outcome.FAILED, "oom_killed", 137),
        # the flag sticks when only a child was killed
        (exited(0, oom_killed=True), None, Outcome.COMPLETED, "succeeded", 0),
        (exited(136), None, Outcome.FAILED, "signalled", 136),
        (exited(1, oom_killed=True), None, Outcome.FAILED, "exit_code", 1),
        (exited(127, could_not_start=True), None, Outcome.FAILED, "could_not_start", 127),
        (exited(None), None, Outcome.FAILED, "engine_stopped", None),
        (Observation(RunState.GONE), None, Outcome.FAILED, "removed_outside", None),
        # our own stop is the cause, whatever number it left behind
        (exited(143), CANCEL, Outcome.CANCELLED, "cancelled", 143),
        (exited(137), CANCEL, Outcome.CANCELLED, "cancelled", 137),
        (exited(0), CANCEL, Outcome.CANCELLED, "cancelled", 0),
        (exited(137, oom_killed=True), CANCEL, Outcome.CANCELLED, "cancelled", 137),
        (exited(137), TIMEOUT, Outcome.FAILED, "timeout", 137),
        (Observation(RunState.GONE), CANCEL, Outcome.CANCELLED, "cancelled", None),
        (Observation(RunState.GONE), TIMEOUT, Outcome.FAILED, "timeout", None),
        # a program that had ended before the stop reached it has finished
        (exited(0, finished_at=NOON - timedelta(seconds=1)), CANCEL, Outcome.COMPLETED,
         "succeeded", 0),
        (exited(3, finished_at=NOON - timedelta(seconds=1)), TIMEOUT, Outcome.FAILED,
         "exit_code", 3),
        # not told when it ended: the stop is taken for the cause
        (exited(143, finished_at=None), CANCEL, Outcome.CANCELLED, "cancelled", 143),
    ],
)  # fmt: skip
def test_the_cause_that_we_recorded_decides_never_the_bare_number(
    seen: Observation, stop: StopCause | None, outcome: Outcome, reason: str, code: int | None
) -> None:
    ending = classify(seen, stop, memory_mb=64)
    assert (ending.outcome, ending.reason, ending.exit_code) == (outcome, reason, code)


@given(
    st.builds(
        Observation,
        st.sampled_from([RunState.EXITED, RunState.GONE]),
        exit_code=st.none() | st.integers(0, 255),
        oom_killed=st.booleans(),
        could_not_start=st.booleans(),
        error=st.text(max_size=20),
        finished_at=st.none() | st.sampled_from([NOON - timedelta(seconds=1), NOON]),
    ),
    st.sampled_from([None, CANCEL, TIMEOUT]),
)
def test_every_end_has_a_known_reason_with_plain_words(
    seen: Observation, stop: StopCause | None
) -> None:
    ending = classify(seen, stop, memory_mb=64)
    assert ending.reason in {reason.code for reason in ENDS}
    assert (ending.outcome is Outcome.COMPLETED) == (ending.reason == "succeeded")
    assert (ending.outcome is Outcome.CANCELLED) == (ending.reason == "cancelled")
    words = reason_text(ending.reason, ending.detail)
    assert words
    assert "{" not in words.replace(str(ending.detail.get("message", "")), "")


RESTARTED = {"engine_restarted": True}
AT_ITS_END = NOON + timedelta(seconds=1)


@pytest.mark.parametrize(
    ("seen", "stop", "lost_at", "reason"),
    [
        # as an engine leaves its programs behind: by SIGKILL, by SIGTERM, with its machine
        (exited(137, **RESTARTED), None, None, "engine_stopped"),
        (exited(143, **RESTARTED), None, None, "engine_stopped"),
        (exited(255, **RESTARTED), None, None, "engine_stopped"),
        # the same by anybody's hand, while the engine went on
        (exited(137), None, None, "signalled"),
        (exited(143), None, AT_ITS_END, "signalled"),
        (exited(255), None, None, "exit_code"),
        # asked to end by an engine that goes, it left with a code of its own
        (exited(3, **RESTARTED), None, AT_ITS_END + timedelta(seconds=1), "engine_stopped"),
        # asked to end by an engine that comes up
        (exited(3, ended_by_engine=True, **RESTARTED), None, None, "engine_stopped"),
        # ended by itself while the engine was away, or before
        (exited(3, **RESTARTED), None, AT_ITS_END - timedelta(seconds=0.3), "exit_code"),
        (exited(3, **RESTARTED), None, AT_ITS_END + timedelta(seconds=60), "exit_code"),
        (exited(3, **RESTARTED), None, None, "exit_code"),
        # what it did in time, and what we know better
        (exited(0, **RESTARTED), None, AT_ITS_END, "succeeded"),
        (exited(137, oom_killed=True, **RESTARTED), None, None, "oom_killed"),
        (exited(143, **RESTARTED), CANCEL, None, "cancelled"),
        (exited(137, **RESTARTED), TIMEOUT, None, "timeout"),
    ],
)
def test_an_engine_that_ended_the_program_is_the_cause_and_nobodys_signal(
    seen: Observation, stop: StopCause | None, lost_at: datetime | None, reason: str
) -> None:
    assert classify(seen, stop, memory_mb=64, lost_at=lost_at).reason == reason


def test_a_program_that_began_once_more_was_restarted_by_somebody_else() -> None:
    again = exited(0, started_at=NOON + timedelta(milliseconds=500))
    stop = restarted_outside(again, NOON)
    assert stop is not None
    assert classify(again, stop, memory_mb=64).reason == "restarted_outside"
    assert restarted_outside(again, again.started_at) is None
    assert restarted_outside(again, None) is None
    assert restarted_outside(exited(0), NOON) is None


def failed(reason: str, exit_code: int | None = None) -> Ending:
    return Ending(Outcome.FAILED, reason, {}, exit_code)


def after(
    ending: Ending, policy: RetryPolicy, *, attempt: int = 1, charged: int = 0, cancel: bool = False
) -> Step:
    return next_step(ending, policy, attempt=attempt, charged=charged, cancel_wanted=cancel)


def test_without_a_retry_policy_a_failure_is_final() -> None:
    step = after(failed("exit_code", 3), RetryPolicy())
    assert (step.state, step.charged) == (JobState.FAILED, True)


@pytest.mark.parametrize("reason", ["exit_code", "oom_killed", "signalled", "timeout"])
def test_an_empty_list_of_retries_means_every_failure_of_the_program(reason: str) -> None:
    step = after(failed(reason, 3), RetryPolicy(max_attempts=2))
    assert (step.state, step.charged) == (JobState.PENDING, True)


@pytest.mark.parametrize("reason", ["image_not_found", "image_denied", "could_not_start"])
def test_an_empty_list_of_retries_does_not_repeat_what_cannot_get_better(reason: str) -> None:
    assert after(failed(reason), RetryPolicy(max_attempts=5)).state is JobState.FAILED


@pytest.mark.parametrize(
    ("on", "ending", "again"),
    [
        ({3}, failed("exit_code", 3), True),
        ({3}, failed("exit_code", 4), False),
        ({137}, failed("signalled", 137), True),
        # an exit code that we caused ourselves is not the program's
        ({137}, failed("timeout", 137), False),
        ({137}, failed("oom_killed", 137), False),
        ({"oom_killed"}, failed("oom_killed", 137), True),
        ({"timeout"}, failed("exit_code", 3), False),
        ({"image_not_found"}, failed("image_not_found"), True),
    ],
)
def test_a_list_of_retries_names_exit_codes_and_reasons(
    on: set[str | int], ending: Ending, again: bool
) -> None:
    step = after(ending, RetryPolicy(max_attempts=2, on=frozenset(on)))
    assert (step.state is JobState.PENDING) == again


def test_the_wait_before_a_retry_doubles_up_to_an_hour() -> None:
    policy = RetryPolicy(max_attempts=100, backoff_seconds=10)
    waits = [
        after(failed("exit_code", 1), policy, attempt=n + 1, charged=n).delay_seconds
        for n in range(12)
    ]
    assert waits[:5] == [10, 20, 40, 80, 160]
    assert waits[-1] == 3600


def test_the_last_permitted_attempt_ends_the_job() -> None:
    policy = RetryPolicy(max_attempts=3, backoff_seconds=0)
    states = [
        after(failed("exit_code", 1), policy, attempt=n + 1, charged=n).state for n in range(3)
    ]
    assert states == [JobState.PENDING, JobState.PENDING, JobState.FAILED]


@given(attempt=st.integers(1, FREE_MOST), charged=st.integers(0, 3))
def test_an_attempt_that_never_started_is_tried_again_and_never_charged(
    attempt: int, charged: int
) -> None:
    ending = Ending(Outcome.FENCED, "fenced")
    step = after(ending, RetryPolicy(), attempt=attempt + charged, charged=charged)
    assert (step.state, step.charged) == (JobState.PENDING, False)
    assert 0 <= step.delay_seconds <= 60


def test_an_engine_that_takes_back_every_start_does_not_keep_a_job_for_ever() -> None:
    step = after(Ending(Outcome.FENCED, "fenced"), RetryPolicy(), attempt=FREE_MOST + 1)
    assert step.state is JobState.FAILED


def test_the_first_free_try_comes_at_once_and_later_ones_wait_longer() -> None:
    fenced = Ending(Outcome.FENCED, "fenced")
    waits = [after(fenced, RetryPolicy(), attempt=n).delay_seconds for n in range(1, 5)]
    assert waits == [0, 1, 3, 7]


def test_a_registry_out_of_reach_is_tried_some_times_for_free_and_then_fails() -> None:
    states = [
        after(failed("registry_unreachable"), RetryPolicy(), attempt=n).state for n in range(1, 6)
    ]
    assert states[:3] == [JobState.PENDING] * 3
    assert states[3:] == [JobState.FAILED] * 2


@pytest.mark.parametrize("reason", sorted(r for r in RETRYABLE if blame(r) is Blame.INFRASTRUCTURE))
def test_an_infrastructure_failure_that_is_named_is_retried_without_charge(reason: str) -> None:
    policy = RetryPolicy(max_attempts=2, on=frozenset({reason}))
    step = after(failed(reason), policy)
    assert (step.state, step.charged) == (JobState.PENDING, False)


@pytest.mark.parametrize("policy", [RetryPolicy(), RetryPolicy(on=frozenset({"engine_stopped"}))])
def test_what_its_engine_ended_is_tried_again_free_of_charge_without_being_asked_for(
    policy: RetryPolicy,
) -> None:
    step = after(failed("engine_stopped", 137), policy, attempt=2)
    assert (step.state, step.charged) == (JobState.PENDING, False)
    assert after(failed("engine_stopped"), policy, attempt=FREE_MOST + 1).state is JobState.FAILED


def test_a_list_of_retries_that_leaves_the_engines_stop_out_is_kept_to() -> None:
    policy = RetryPolicy(max_attempts=3, on=frozenset({3}))
    step = after(failed("engine_stopped", 137), policy)
    assert (step.state, step.charged) == (JobState.FAILED, False)


def test_a_lost_provider_is_not_retried_unless_named_because_the_program_may_still_run() -> None:
    assert after(failed("provider_lost"), RetryPolicy(max_attempts=9)).state is JobState.FAILED


@pytest.mark.parametrize(
    "ending",
    [failed("exit_code", 3), failed("registry_unreachable"), Ending(Outcome.FENCED, "fenced")],
)
def test_a_cancel_wins_over_every_retry(ending: Ending) -> None:
    policy = RetryPolicy(max_attempts=9, on=frozenset({3, "registry_unreachable"}))
    assert after(ending, policy, cancel=True).state is JobState.CANCELLED


def test_a_program_that_failed_for_good_before_its_cancel_has_failed() -> None:
    step = after(failed("exit_code", 3), RetryPolicy(), cancel=True)
    assert (step.state, step.charged) == (JobState.FAILED, True)


@pytest.mark.parametrize("reason", sorted(r.code for r in ENDS if r.blame is Blame.INFRASTRUCTURE))
@pytest.mark.parametrize("attempt", [1, 30])
def test_no_end_of_the_infrastructures_doing_costs_a_try(reason: str, attempt: int) -> None:
    for policy in (RetryPolicy(), RetryPolicy(max_attempts=3, on=frozenset({reason}))):
        assert not after(failed(reason), policy, attempt=attempt).charged


def test_an_engine_that_makes_no_container_is_tried_some_times_for_free_and_then_fails() -> None:
    states = [after(failed("engine_failed"), RetryPolicy(), attempt=n).state for n in range(1, 7)]
    assert states == [JobState.PENDING] * 4 + [JobState.FAILED] * 2


@pytest.mark.parametrize("code", [0, 1, 139])
def test_the_words_tell_of_a_part_that_was_killed_for_lack_of_memory(code: int) -> None:
    ending = classify(exited(code, oom_killed=True), None, memory_mb=64)
    words = reason_text(ending.reason, ending.detail)
    assert words.endswith(" A part of it was killed at its limit of 64 MiB of memory.")


def test_a_job_that_completed_before_its_cancel_has_completed() -> None:
    done = Ending(Outcome.COMPLETED, "succeeded", {}, 0)
    assert after(done, RetryPolicy(), cancel=True).state is JobState.COMPLETED


@given(
    reason=st.sampled_from([r.code for r in ENDS]),
    attempt=st.integers(1, 50),
    tries=st.integers(1, 5),
    cancel=st.booleans(),
)
def test_every_step_is_an_edge_of_the_table(
    reason: str, attempt: int, tries: int, cancel: bool
) -> None:
    outcome = {"succeeded": Outcome.COMPLETED, "cancelled": Outcome.CANCELLED}
    ending = Ending(outcome.get(reason, Outcome.FAILED), reason, {}, 1)
    step = after(ending, RetryPolicy(max_attempts=tries), attempt=attempt, cancel=cancel)
    edge = job_edge(JobState.RUNNING, step.state)
    assert edge is not None
    assert Who.HOST in edge.who
    assert step.delay_seconds >= 0


def test_run_time_is_over_at_the_limit_and_not_before() -> None:
    assert not overdue(NOON, 5, NOON + timedelta(seconds=4.999))
    assert overdue(NOON, 5, NOON + timedelta(seconds=5))


def test_reason_codes_are_told_once_and_fit_their_column() -> None:
    assert len(REASONS) == len(set(REASONS))
    assert all(len(code) <= 40 for code in REASONS)


def test_a_reason_whose_numbers_are_not_told_still_reads() -> None:
    assert reason_text("exit_code", {}) == "The program exited with code –."
    assert reason_text("something_new") == "Something new"
