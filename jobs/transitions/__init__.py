"""The only writer of state: guarded, fenced, in batches, each with its events and notice.

A change happens only where the tables of `jobs/states.py` have its edge *and* the row is
still where the caller thinks it is; everything else is answered, never forced. Engine
writes begin by locking their lease's row at their term, so a stale owner writes nothing.

`intents`: what people ask (submit, `cancel`). `waiting`: what they change of jobs that wait
(hold, release, priority, provider). `queue`: what the scheduler decides
(place, explain, give way, expire). `moves`: what hosts see (an attempt's next phases,
`strides`, and the jobs that follow its end: `ends`). `sight`: that hosts see nothing.
`force`: a person ends what cannot be seen.
"""

from jobs.transitions.force import force_finish
from jobs.transitions.intents import CancelResult, NewJob, request_cancel, submit, submit_all
from jobs.transitions.moves import BatchResult, apply
from jobs.transitions.queue import Placement, Wait, Yielding, due, expire, explain, place, yield_to
from jobs.transitions.sight import sight
from jobs.transitions.strides import Move, Written
from jobs.transitions.waiting import Changed, hold, move, release, reprioritise

__all__ = [
    "BatchResult",
    "CancelResult",
    "Changed",
    "Move",
    "NewJob",
    "Placement",
    "Wait",
    "Written",
    "Yielding",
    "apply",
    "due",
    "expire",
    "explain",
    "force_finish",
    "hold",
    "move",
    "place",
    "release",
    "reprioritise",
    "request_cancel",
    "sight",
    "submit",
    "submit_all",
    "yield_to",
]
