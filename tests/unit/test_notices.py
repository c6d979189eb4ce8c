"""What is told to pages: small notices, none of them too large for Postgres."""

from __future__ import annotations

import json

from hypothesis import example, given
from hypothesis import strategies as st

from projects.notify import MOST_PER_NOTICE, JobChange, LiveChanges

MOST_BYTES = 4096

ids = st.integers(1, 2**63 - 1)
changes = st.builds(
    LiveChanges,
    jobs=st.lists(st.builds(JobChange, ids, ids, ids), max_size=70).map(
        lambda listed: {change.id: change for change in listed}
    ),
    providers=st.dictionaries(ids, ids, max_size=60),
    requests=st.sets(ids, max_size=60),
    logs=st.dictionaries(ids, ids, max_size=130),
)


def much(jobs: int, others: int) -> LiveChanges:
    """As many changes of everything, of the largest numbers there are."""
    top = range(2**63 - 1, 2**63 - 1 - others, -1)
    return LiveChanges(
        jobs={n: JobChange(n, 2**63 - 1, n) for n in range(2**63 - 1, 2**63 - 1 - jobs, -1)},
        providers=dict.fromkeys(top, 2**63 - 1),
        requests=set(top),
        logs=dict.fromkeys(top, 2**63 - 1),
    )


@given(changes)
@example(much(50, 50))
@example(much(51, 130))
@example(much(0, 130))
def test_no_notice_is_larger_than_4_kib_or_tells_of_more_than_50_things(live: LiveChanges) -> None:
    for payload in live.payloads():
        assert len(payload.encode()) <= MOST_BYTES
        for key, items in json.loads(payload).items():
            assert len(items) <= MOST_PER_NOTICE, key


@given(changes)
@example(much(50, 50))
@example(much(51, 130))
@example(much(0, 130))
def test_every_change_is_told_or_everybody_is_told_to_look_again(live: LiveChanges) -> None:
    told: dict[str, list[object]] = {"jobs": [], "providers": [], "requests": [], "logs": []}
    resync: list[int] | None = None
    for payload in live.payloads():
        for key, items in json.loads(payload).items():
            if key == "resync":
                resync = items
            else:
                told[key].extend(items)
    if len(live.jobs) > MOST_PER_NOTICE:
        assert resync is not None
        assert resync == [] or set(resync) == {c.project_id for c in live.jobs.values()}
    else:
        assert sorted(told["jobs"]) == sorted(  # type: ignore[type-var]
            [c.id, c.rev, c.project_id] for c in live.jobs.values()
        )
    everything = resync == []
    assert everything or sorted(told["providers"]) == sorted(map(list, live.providers.items()))  # type: ignore[type-var]
    assert everything or sorted(told["requests"]) == sorted(live.requests)  # type: ignore[type-var]
    assert everything or sorted(told["logs"]) == sorted(map(list, live.logs.items()))  # type: ignore[type-var]


def test_nothing_changed_tells_nothing() -> None:
    assert LiveChanges().payloads() == []
    assert not LiveChanges()


def test_the_newest_revision_of_a_job_is_told_once() -> None:
    live = LiveChanges()
    live.add_jobs([JobChange(7, 3, 1), JobChange(7, 5, 1), JobChange(7, 4, 1)])
    assert [json.loads(p) for p in live.payloads()] == [{"jobs": [[7, 5, 1]]}]
