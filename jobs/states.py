"""The two state machines, as tables: what may follow what, by which event, by whom.

Pure: the standard library only. `jobs/transitions.py` writes nothing that is not here;
the in-memory twin of the simulation evaluates the same tables; `docs/states.md` and the
CHECK constraints are compared with them by tests.

A *job* is what a person asked for; an *attempt* is one try of it on one provider. A retry
is a new attempt, never a step back of an old one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class JobState(StrEnum):
    """Where a job is."""

    PENDING = "pending"
    SCHEDULED = "scheduled"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Phase(StrEnum):
    """Where an attempt is. `finishing`: the exit is known, the log is draining."""

    PLACED = "placed"
    PULLING = "pulling"
    CREATING = "creating"
    STARTING = "starting"
    RUNNING = "running"
    FINISHING = "finishing"
    ENDED = "ended"


class Outcome(StrEnum):
    """How an attempt ended. `fenced`: it never started and costs its job nothing."""

    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    FENCED = "fenced"


class Who(StrEnum):
    """Who may cause a change."""

    USER = "user"
    SCHEDULER = "scheduler"
    HOST = "host"
    """The engine process that holds the provider's lease."""
    OPERATOR = "operator"
    """A person who ends what cannot be seen: force-finish."""


@dataclass(frozen=True, slots=True)
class Edge:
    """One permitted change: `event` is the type of the event row that records it."""

    source: str
    target: str
    event: str
    who: frozenset[Who]


def _edge(source: str, target: str, event: str, *who: Who) -> Edge:
    return Edge(source, target, event, frozenset(who))


_J, _P = JobState, Phase

JOB_EDGES: tuple[Edge, ...] = (
    _edge(_J.PENDING, _J.SCHEDULED, "job.placed", Who.SCHEDULER),
    _edge(_J.PENDING, _J.CANCELLED, "job.cancelled", Who.USER, Who.SCHEDULER),
    _edge(_J.PENDING, _J.FAILED, "job.failed", Who.SCHEDULER),
    _edge(_J.SCHEDULED, _J.PENDING, "job.requeued", Who.HOST, Who.OPERATOR),
    _edge(_J.SCHEDULED, _J.RUNNING, "job.started", Who.HOST),
    _edge(_J.SCHEDULED, _J.FAILED, "job.failed", Who.HOST, Who.OPERATOR),
    _edge(_J.SCHEDULED, _J.CANCELLED, "job.cancelled", Who.HOST, Who.OPERATOR),
    _edge(_J.RUNNING, _J.PENDING, "job.retried", Who.HOST, Who.OPERATOR),
    _edge(_J.RUNNING, _J.COMPLETED, "job.completed", Who.HOST),
    _edge(_J.RUNNING, _J.FAILED, "job.failed", Who.HOST, Who.OPERATOR),
    _edge(_J.RUNNING, _J.CANCELLED, "job.cancelled", Who.HOST, Who.OPERATOR),
)

PHASE_EDGES: tuple[Edge, ...] = (
    _edge(_P.PLACED, _P.PULLING, "attempt.pulling", Who.HOST),
    _edge(_P.PLACED, _P.CREATING, "attempt.creating", Who.HOST),
    _edge(_P.PULLING, _P.CREATING, "attempt.creating", Who.HOST),
    _edge(_P.CREATING, _P.STARTING, "attempt.starting", Who.HOST),
    _edge(_P.STARTING, _P.RUNNING, "attempt.running", Who.HOST),
    _edge(_P.RUNNING, _P.FINISHING, "attempt.finishing", Who.HOST),
    _edge(_P.PLACED, _P.ENDED, "attempt.ended", Who.HOST, Who.OPERATOR),
    _edge(_P.PULLING, _P.ENDED, "attempt.ended", Who.HOST, Who.OPERATOR),
    _edge(_P.CREATING, _P.ENDED, "attempt.ended", Who.HOST, Who.OPERATOR),
    _edge(_P.STARTING, _P.ENDED, "attempt.ended", Who.HOST, Who.OPERATOR),
    _edge(_P.RUNNING, _P.ENDED, "attempt.ended", Who.HOST, Who.OPERATOR),
    _edge(_P.FINISHING, _P.ENDED, "attempt.ended", Who.HOST, Who.OPERATOR),
)

TERMINAL: frozenset[JobState] = frozenset({_J.COMPLETED, _J.FAILED, _J.CANCELLED})
ACTIVE: frozenset[JobState] = frozenset({_J.SCHEDULED, _J.RUNNING})
LIVE_PHASES: frozenset[Phase] = frozenset(Phase) - {_P.ENDED}
STARTED_PHASES: frozenset[Phase] = frozenset({_P.RUNNING, _P.FINISHING})
"""Phases in which the program is known to have started."""
NEVER_STARTED: frozenset[Phase] = frozenset({_P.PLACED, _P.PULLING, _P.CREATING})
"""Phases in which it cannot have: the commit of `starting` comes before any start."""

_JOB_EVENTS = {(e.source, e.target): e for e in JOB_EDGES}
_PHASE_EVENTS = {(e.source, e.target): e for e in PHASE_EDGES}


def job_edge(source: JobState, target: JobState) -> Edge | None:
    """The edge between two job states, or None where the table has none."""
    return _JOB_EVENTS.get((source, target))


def phase_edge(source: Phase, target: Phase) -> Edge | None:
    """The edge between two phases, or None where the table has none."""
    return _PHASE_EVENTS.get((source, target))


def phases_before(target: Phase) -> frozenset[Phase]:
    """The phases from which `target` may be reached."""
    return frozenset(Phase(e.source) for e in PHASE_EDGES if e.target == target)


def job_states_before(target: JobState, who: Who) -> frozenset[JobState]:
    """The job states from which this actor may reach `target`."""
    return frozenset(JobState(e.source) for e in JOB_EDGES if e.target == target and who in e.who)
