"""What comes of one more job with a concurrency key: what the planner then does."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from jobs.key_turn import OfKey, key_turn
from orchestrator.scheduling.policy import plan
from orchestrator.scheduling.snapshot import Key, KeyView, Overflow
from tests.support.planning import look, place, waiting

NEWEST = 100
OVERFLOWS = st.sampled_from(list(Overflow))
LIMITS = st.integers(1, 3)


@given(
    st.lists(st.tuples(st.booleans(), st.booleans(), OVERFLOWS, LIMITS), max_size=5),
    OVERFLOWS,
    LIMITS,
)
def test_it_gives_way_and_stops_others_as_the_planner_lets_it(
    others: list[tuple[bool, bool, Overflow, int]], overflow: Overflow, limit: int
) -> None:
    live = [job for job, (runs, _, _, _) in enumerate(others, 1) if runs]
    stopping = [job for job in live if others[job - 1][1]]
    queued = {job: other for job, other in enumerate(others, 1) if not other[0]}
    found = key_turn(
        {"name": "k", "limit": limit, "on_overflow": str(overflow)},
        OfKey(
            live,
            stopping,
            list(queued),
            min((most for _, _, _, most in queued.values()), default=None),
            any(one is Overflow.CANCEL_RUNNING for _, _, one, _ in queued.values()),
        ),
    )
    classes = [
        waiting(job, key=Key("k", most, one), waited=NEWEST - job)
        for job, (_, _, one, most) in queued.items()
    ]
    newest = waiting(NEWEST, key=Key("k", limit, overflow))
    keys = {(1, "k"): KeyView(tuple(live), frozenset(stopping))}
    made = plan(look([*classes, newest], place(), keys=keys))
    gives_way = {one.job: one.to for one in made.give_way}
    assert found.gives_way_to == gives_way.get(NEWEST)
    stopped = {job for job, to in gives_way.items() if to == NEWEST and job in live}
    assert set(found.stops) == stopped
