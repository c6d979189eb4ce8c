"""A job's events as one story: each step is an edge of the tables, and follows the last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from jobs.states import JOB_EDGES, PHASE_EDGES, JobState, Phase

_JOB = {(str(e.source), str(e.target)): e.event for e in JOB_EDGES}
_PHASE = {(str(e.source), str(e.target)): e.event for e in PHASE_EDGES}


class Told(Protocol):
    """An event, as far as its story goes."""

    type: str
    source: str
    target: str


def wrong_in(events: Sequence[Told], state: str) -> list[str]:
    """What is wrong with a job's events, in their order, given the state it is in now."""
    wrong = []
    at, phase = str(JobState.PENDING), str(Phase.ENDED)
    for event in events:
        step = (event.source, event.target)
        if event.type in _JOB.values():
            if step[0] != at or _JOB.get(step) != event.type:
                wrong.append(f"{event.type} goes {step[0]} → {step[1]} while it was {at}")
            at = step[1]
            if event.type == "job.placed":
                if phase != Phase.ENDED:
                    wrong.append(f"it was placed while its last attempt was {phase}")
                phase = str(Phase.PLACED)
        elif event.type in _PHASE.values():
            if step[0] != phase or _PHASE.get(step) != event.type:
                wrong.append(f"{event.type} goes {step[0]} → {step[1]} while it was {phase}")
            phase = step[1]
    if at != state:
        wrong.append(f"its events lead to {at}, but it is {state}")
    return wrong
