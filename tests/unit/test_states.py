"""The tables of states and phases: whole, one way, and without dead ends."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product

import pytest

from jobs.states import (
    ACTIVE,
    JOB_EDGES,
    LIVE_PHASES,
    PHASE_EDGES,
    STARTED_PHASES,
    TERMINAL,
    Edge,
    JobState,
    Outcome,
    Phase,
    Who,
    job_edge,
    job_states_before,
    phase_edge,
    phases_before,
)

# What the machines are, written down a second time so that a slip in the tables shows.
JOBS = {
    JobState.PENDING: {"scheduled", "cancelled", "failed"},
    JobState.SCHEDULED: {"pending", "running", "failed", "cancelled"},
    JobState.RUNNING: {"pending", "completed", "failed", "cancelled"},
    JobState.COMPLETED: set[str](),
    JobState.FAILED: set[str](),
    JobState.CANCELLED: set[str](),
}
PHASES = {
    Phase.PLACED: {"pulling", "creating", "ended"},
    Phase.PULLING: {"creating", "ended"},
    Phase.CREATING: {"starting", "ended"},
    Phase.STARTING: {"running", "ended"},
    Phase.RUNNING: {"finishing", "ended"},
    Phase.FINISHING: {"ended"},
    Phase.ENDED: set[str](),
}


@pytest.mark.parametrize(("source", "target"), list(product(JobState, JobState)))
def test_jobs_go_where_they_may_and_nowhere_else(source: JobState, target: JobState) -> None:
    edge = job_edge(source, target)
    assert (edge is not None) == (target in JOBS[source])
    assert edge is None or (edge.source, edge.target) == (source, target)


@pytest.mark.parametrize(("source", "target"), list(product(Phase, Phase)))
def test_attempts_go_where_they_may_and_nowhere_else(source: Phase, target: Phase) -> None:
    edge = phase_edge(source, target)
    assert (edge is not None) == (target in PHASES[source])
    assert edge is None or (edge.source, edge.target) == (source, target)


@pytest.mark.parametrize("edges", [JOB_EDGES, PHASE_EDGES], ids=["jobs", "attempts"])
def test_every_edge_stands_once_with_an_event_and_somebody(edges: tuple[Edge, ...]) -> None:
    assert len({(edge.source, edge.target) for edge in edges}) == len(edges)
    assert all(edge.who and edge.event.partition(".")[2] for edge in edges)


def reachable(edges: Iterable[Edge], start: str) -> set[str]:
    found, fresh = {start}, {start}
    while fresh:
        fresh = {edge.target for edge in edges if edge.source in fresh} - found
        found |= fresh
    return found


def test_what_is_terminal_has_no_way_out_and_all_else_has_one() -> None:
    assert {state for state in JobState if not JOBS[state]} == TERMINAL
    for state in set(JobState) - TERMINAL:
        assert TERMINAL & reachable(JOB_EDGES, state), state


def test_every_state_and_phase_is_reached_from_the_first() -> None:
    assert reachable(JOB_EDGES, JobState.PENDING) == set(JobState)
    assert reachable(PHASE_EDGES, Phase.PLACED) == set(Phase)


def test_an_attempt_never_goes_back() -> None:
    order = list(Phase)
    assert all(order.index(Phase(e.source)) < order.index(Phase(e.target)) for e in PHASE_EDGES)


def test_every_phase_may_end_at_once() -> None:
    assert phases_before(Phase.ENDED) == LIVE_PHASES


def test_the_program_starts_in_one_place_only() -> None:
    assert phases_before(Phase.RUNNING) == {Phase.STARTING}
    assert phases_before(Phase.STARTING) == {Phase.CREATING}
    assert STARTED_PHASES <= LIVE_PHASES


def test_a_person_ends_only_what_nobody_runs() -> None:
    for target in JobState:
        sources = job_states_before(target, Who.USER)
        assert sources == ({JobState.PENDING} if target is JobState.CANCELLED else set())


def test_an_operator_ends_what_a_host_may_end_and_completes_nothing() -> None:
    for source in ACTIVE:
        hosts = {
            edge.target for edge in JOB_EDGES if edge.source == source and Who.HOST in edge.who
        }
        forced = {e.target for e in JOB_EDGES if e.source == source and Who.OPERATOR in e.who}
        assert forced == hosts - {JobState.RUNNING, JobState.COMPLETED}
    assert {e.target for e in PHASE_EDGES if Who.OPERATOR in e.who} == {Phase.ENDED}


def test_the_scheduler_moves_only_what_is_pending() -> None:
    sources = {edge.source for edge in JOB_EDGES if Who.SCHEDULER in edge.who}
    assert sources == {JobState.PENDING}


def test_the_sets_are_what_their_names_say() -> None:
    assert ACTIVE.isdisjoint(TERMINAL)
    assert ACTIVE | TERMINAL | {JobState.PENDING} == set(JobState)
    assert {str(state) for state in TERMINAL} <= {str(outcome) for outcome in Outcome}
