"""Snapshots of any shape, for properties of the planner."""

from __future__ import annotations

from hypothesis import strategies as st

from jobs.allowance import Amounts
from orchestrator.scheduling.snapshot import (
    Demand,
    Key,
    KeyView,
    Overflow,
    ProjectView,
    ProviderView,
    Requirement,
    Snapshot,
    WaitingClass,
)
from tests.support.planning import NOW, PATIENCE

LABELS = ("disk", "zone", "gbit")
VALUES = ("a", "b", "8", "16")
IMAGES = ("", "tool", "base")
KEYS = ("deploy", "load")
PROJECTS = (1, 2, 3)
APART = (("app", "db"), ("app", "web"))
AGES = (0.0, 1.0, 900.0, 900.5, 1800.0, 3599.0)
OVERDUE_AGES = (3600.0, 3601.0, 9000.0)

requirements = st.builds(
    Requirement,
    st.sampled_from(LABELS),
    st.sampled_from(["eq", "neq", "in", "not_in", "exists", "not_exists", "gt", "lt"]),
    st.tuples(st.sampled_from(VALUES)),
)
demands = st.builds(
    Demand,
    cpu_millis=st.sampled_from([100, 500, 1000, 3000, 20_000]),
    memory_mb=st.sampled_from([64, 512, 4096, 100_000]),
    gpus=st.sampled_from([0, 0, 0, 1, 2]),
    provider=st.sampled_from(["", "", "", "", "p1", "p2", "nobody"]),
    requires=st.lists(requirements, max_size=1).map(tuple),
    apart=st.sampled_from([(), (), (), APART[:1], APART]),
    image=st.sampled_from(IMAGES),
)
keys = st.none() | st.builds(
    Key,
    st.sampled_from(KEYS),
    st.integers(0, 3),
    st.sampled_from([Overflow.QUEUE, Overflow.QUEUE, *Overflow]),
)
amounts = st.builds(
    Amounts,
    running=st.none() | st.integers(0, 6),
    cpu_millis=st.none() | st.sampled_from([400, 2000, 6000]),
    memory_mb=st.none() | st.sampled_from([512, 4096, 9000]),
    gpus=st.none() | st.integers(0, 2),
)


@st.composite
def providers(draw: st.DrawFn, number: int) -> ProviderView:
    """One; what is free may be negative: an operator made a busy provider smaller."""
    cpu, memory = draw(st.sampled_from([0, 1000, 8000])), draw(st.sampled_from([0, 512, 16_384]))
    gpus = draw(st.sampled_from([0, 0, 1, 2, 4]))
    down = draw(st.sampled_from(["", "", "", "it is draining"]))
    beside = st.tuples(st.sampled_from(PROJECTS), st.sampled_from(APART)).map(
        lambda pair: (pair[0], *pair[1])
    )
    return ProviderView(
        id=number,
        name=f"p{number}",
        labels=draw(st.dictionaries(st.sampled_from(LABELS), st.sampled_from(VALUES))),
        total_cpu_millis=cpu,
        total_memory_mb=memory,
        total_gpus=gpus,
        free_cpu_millis=draw(st.sampled_from([-500, cpu // 2, cpu - 300, cpu, cpu])),
        free_memory_mb=draw(st.sampled_from([-500, memory // 2, memory - 100, memory, memory])),
        free_gpus=draw(st.integers(-1, gpus)),
        free_slots=draw(st.none() | st.integers(0, 5)),
        down_reason="provider_down" if down else "",
        down=down,
        pack=draw(st.booleans()),
        cost_per_hour=draw(st.sampled_from([0.0, 0.0, 0.5, 2.0])),
        images=draw(st.frozensets(st.sampled_from(IMAGES[1:]))),
        apart=draw(st.frozensets(beside, max_size=1)),
    )


@st.composite
def projects(draw: st.DrawFn, number: int) -> ProjectView:
    """One, which may hold more than its limits: they were lowered."""
    return ProjectView(
        id=number,
        slug=f"team-{number}",
        weight=draw(st.sampled_from([1, 50, 100, 300])),
        running=draw(st.integers(0, 5)),
        cpu_millis=draw(st.sampled_from([0, 0, 500, 3000])),
        memory_mb=draw(st.sampled_from([0, 0, 512, 5000])),
        gpus=draw(st.integers(0, 1)),
        limits=draw(st.just(Amounts()) | amounts),
        paused=draw(st.sampled_from(["", "", "", "by ada"])),
    )


@st.composite
def snapshots(draw: st.DrawFn, *, overdue: bool = True, whole: bool = False) -> Snapshot:
    """A queue of up to eight classes against up to five providers. Not `overdue`: no job has
    waited beyond patience. `whole`: the snapshot holds all that waits."""
    ages = st.sampled_from(AGES + OVERDUE_AGES if overdue else AGES)
    classes, next_job = [], 1
    for number in range(1, draw(st.integers(0, 8)) + 1):
        count = draw(st.sampled_from([1, 1, 2, 3, 5]))
        waits = sorted((draw(ages) for _ in range(count)), reverse=True)
        classes.append(
            WaitingClass(
                id=number,
                project=draw(st.sampled_from(PROJECTS)),
                priority=draw(st.sampled_from([0, 50, 50, 51, 100])),
                demand=draw(demands),
                jobs=tuple(range(next_job, next_job + count)),
                since=tuple(NOW - waited for waited in waits),
                more=False if whole else draw(st.sampled_from([False] * 7 + [True])),
                key=draw(keys),
            )
        )
        next_job += count
    live = {}
    for project in PROJECTS:
        for at, key in enumerate(KEYS):
            first = 1000 * project + 100 * at
            jobs = tuple(range(first, first + draw(st.integers(0, 3))))
            live[project, key] = KeyView(jobs, frozenset(jobs[: draw(st.integers(0, 1))]))
    return Snapshot(
        classes=tuple(draw(st.permutations(classes))),
        providers=tuple(draw(providers(n)) for n in range(1, draw(st.integers(0, 5)) + 1)),
        projects={number: draw(projects(number)) for number in PROJECTS},
        keys=live,
        now=NOW,
        patience=PATIENCE,
    )
