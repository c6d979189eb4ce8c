"""Whatever happens in whatever order, no limit is exceeded by what is placed, and none leaks.

Sequences of submissions, with concurrency keys and without, looks at the queue, ends, kills, bulk
cancels, takeovers, edits of limits and pauses are played against the real store. What is used is
counted from the attempts' rows here, in Python, and never asked of what is tested.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain, product
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from jobs.bulk import cancel_batch
from jobs.endings import Ending
from jobs.models import Attempt, Job
from jobs.queue import InUse, in_use, keys_in_use
from jobs.queue_classes import give_classes
from jobs.services import job_submit
from jobs.states import Outcome, Phase
from orchestrator.capacity import fitting_now
from orchestrator.postgres_store import PostgresStore
from orchestrator.scheduling.policy import Plan, plan
from projects.actor import SYSTEM
from projects.errors import LimitReached
from projects.models import Project
from projects.shares import project_pause, project_resume, share_set
from providers.leases import SCHEDULER, Fence, provider_lease
from tests.support.builders import make_job, make_project, make_provider, make_spec
from tests.support.connections import blocked_sessions, other_session
from tests.support.engine_rows import bring_to, hold, move, take_over, write
from tests.support.waiting import wait_until

SLUGS = ("etl", "web")
KEYS = ("deploy", "load", "sync")
FAILED = Ending(Outcome.FAILED, "exit_code", {"exit_code": 1}, 1)
CANCELLED = Ending(Outcome.CANCELLED, "cancelled", {"by": "somebody"})
FENCED = Ending(Outcome.FENCED, "fenced", {"message": "its engine process was killed"})
DEPTH = 4


@dataclass
class Instance:
    """Two projects, two providers, a scheduler; and what has been observed."""

    store: PostgresStore = field(default_factory=lambda: PostgresStore("me", 60))
    fence: Fence = field(default_factory=lambda: hold(SCHEDULER))
    hosts: dict[int, Fence] = field(default_factory=dict)
    drawn: Plan | None = None
    seen: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        for slug in SLUGS:
            make_project(slug)
        for name, gpus in (("large", 2), ("small", 0)):
            provider = make_provider(name, found_cpu_millis=6000, found_gpus=gpus)
            self.hosts[provider.pk] = hold(provider_lease(provider.pk))

    # --- what happens ---

    def submit(
        self, slug: str, cores: int, gpus: int, held: bool, key: dict[str, Any] | None = None
    ) -> None:
        project, mine = Project.objects.get(slug=slug), Job.objects.filter(project__slug=slug)
        waiting = sum(job.state == "pending" for job in mine)
        full = project.max_queued is not None and waiting >= project.max_queued
        # All of an example is submitted within less than a minute.
        rate = project.submits_per_minute
        fast = rate is not None and mine.count() >= rate
        resources = {"cpu_cores": cores, "memory_mb": 512 * cores, "gpus": gpus}
        spec = make_spec(project=slug, resources=resources, hold=held, concurrency=key)
        if full or fast:
            with pytest.raises(LimitReached) as refused:
                job_submit(SYSTEM, data=spec)
            assert (refused.value.retry_after is None) is full
            self.seen["refused"] += 1
        else:
            job_submit(SYSTEM, data=spec)

    def look(self) -> None:
        """The scheduler reads and decides; the decision is committed later."""
        self.drawn = plan(self.store.snapshot(DEPTH))

    def commit(self) -> None:
        """A decision is committed, of whatever moment it was."""
        made, self.drawn = self.drawn or plan(self.store.snapshot(DEPTH)), None
        before = set(Attempt.objects.values_list("pk", flat=True))
        of_keys = self.live_of_keys()
        self.store.commit_plan(self.fence, made)
        placed = Attempt.objects.exclude(pk__in=before).select_related("job__project")
        self.seen["placed"] += len(placed)
        self.seen["overtaken"] += len(made.placements) - len(placed)
        self.seen["gave way"] += len(made.give_way)
        keys = {
            attempt.job_id: (attempt.job, attempt.job.spec["concurrency"]) for attempt in placed
        }
        for job, asked in (keys[p.job] for p in made.placements if p.job in keys):
            if asked is not None:
                of_keys[job.project_id, asked["key"]] += 1
                assert of_keys[job.project_id, asked["key"]] <= asked["limit"], asked
                self.seen["placed with a key"] += 1
        for project in {attempt.job.project for attempt in placed}:
            assert project.paused_at is None
            of_it = [attempt for attempt in placed if attempt.job.project == project]
            measures = zip(limits_of(project), self.used(project), held_by(of_it), strict=True)
            for limit, used, new in measures:
                # What needs none of a measure may start beside what holds too much of it.
                assert limit is None or not new or used <= limit, f"{project}: {used} of {limit}"

    def end(self, number: int, ending: Ending | None) -> None:
        """An attempt ends: its program by itself, or it is killed before that began."""
        live = list(Attempt.objects.exclude(phase=Phase.ENDED).order_by("pk"))
        if not live:
            return
        attempt = live[number % len(live)]
        fence = self.hosts[attempt.provider_id]
        if attempt.job.cancel_requested_at is not None:
            write(move(attempt, fence, Phase.ENDED, ending=CANCELLED))
        elif ending is FENCED and attempt.phase == Phase.PLACED:
            write(move(attempt, fence, Phase.ENDED, ending=FENCED))
        else:
            if attempt.phase == Phase.PLACED:
                bring_to(attempt, fence, Phase.RUNNING)
            write(move(attempt, fence, Phase.FINISHING))
            write(move(attempt, fence, Phase.ENDED, **({"ending": FAILED} if ending else {})))
        attempt.refresh_from_db()
        assert attempt.phase == Phase.ENDED
        self.seen["ended"] += 1

    def start(self, number: int) -> None:
        """The program of a placed attempt runs."""
        placed = list(Attempt.objects.filter(phase=Phase.PLACED).order_by("pk"))
        if placed:
            attempt = placed[number % len(placed)]
            bring_to(attempt, self.hosts[attempt.provider_id], Phase.RUNNING)

    def cancel(self, which: int) -> None:
        """Every so many of all jobs that have not ended."""
        jobs = Job.objects.filter(finished_at=None).order_by("pk").values_list("pk", flat=True)
        cancel_batch(SYSTEM, list(jobs)[which % 3 :: 3])

    def edit(self, slug: str, fields: dict[str, Any]) -> None:
        share_set(SYSTEM, slug, fields)

    def pause(self, slug: str) -> None:
        project_pause(SYSTEM, slug, {"note": "the file server is down"})

    def resume(self, slug: str) -> None:
        project_resume(SYSTEM, slug)

    def kill(self) -> None:
        """The scheduler is killed; another takes over, and what the old one decided is nothing."""
        stale, self.fence = self.fence, take_over(self.fence)
        made, before = plan(self.store.snapshot(DEPTH)), Attempt.objects.count()
        self.store.commit_plan(stale, made)
        assert Attempt.objects.count() == before

    # --- what is so ---

    def used(self, project: Project) -> tuple[int, int, int, int]:
        live = Attempt.objects.filter(job__project=project).exclude(phase=Phase.ENDED)
        return held_by(list(live))

    def live_of_keys(self) -> Counter[tuple[int, str]]:
        """How many of each project's keys are placed or run."""
        live = Attempt.objects.exclude(phase=Phase.ENDED).select_related("job")
        return Counter(
            (one.job.project_id, one.job.spec["concurrency"]["key"])
            for one in live
            if one.job.spec["concurrency"] is not None
        )

    def drain(self) -> None:
        """All that can start starts and ends, until nothing moves."""
        while True:
            Job.objects.exclude(not_before=None).update(not_before="2001-01-01T00:00Z")
            self.store.tend_queue(self.fence)
            moved = self.seen["placed"] + self.seen["gave way"]
            self.drawn = None
            self.commit()
            while Attempt.objects.exclude(phase=Phase.ENDED).exists():
                self.end(0, None)
            if self.seen["placed"] + self.seen["gave way"] == moved:
                return

    def nothing_is_held(self) -> None:
        """No provider, project or key is thought to be in use."""
        assert in_use() == InUse({}, {})
        projects = Project.objects.filter(slug__in=SLUGS).values_list("pk", flat=True)
        assert keys_in_use(list(product(projects, KEYS))) == {}


def held_by(attempts: Sequence[Attempt]) -> tuple[int, int, int, int]:
    return (
        len(attempts),
        sum(attempt.cpu_millis for attempt in attempts),
        sum(attempt.memory_mb for attempt in attempts),
        sum(attempt.gpus for attempt in attempts),
    )


def limits_of(project: Project) -> tuple[int | None, ...]:
    return project.max_running, project.max_cpu_millis, project.max_memory_mb, project.max_gpus


slugs = st.sampled_from(SLUGS)
some = st.one_of(st.none(), st.integers(1, 3))
edits = st.fixed_dictionaries(
    {},
    optional={
        "weight": st.integers(1, 300),
        "running": some,
        "cpu_cores": st.one_of(st.none(), st.integers(1, 6)),
        "memory_mb": st.one_of(st.none(), st.integers(512, 3000)),
        "gpus": st.one_of(st.none(), st.integers(0, 1)),
        "queued": st.one_of(st.none(), st.integers(0, 4)),
        "submits_per_minute": st.one_of(st.none(), st.integers(3, 9)),
    },
)
edited = st.tuples(st.just("edit"), slugs, edits)
keys = st.fixed_dictionaries(
    {
        "key": st.sampled_from(KEYS),
        "limit": st.integers(1, 2),
        "on_overflow": st.sampled_from(["cancel_newest", "cancel_running", "queue"]),
    }
)
submitted = st.tuples(
    st.just("submit"), slugs, st.integers(1, 3), st.sampled_from([0, 0, 1]),
    st.sampled_from([False, False, False, True]), st.one_of(keys, keys, keys, st.none()),
)  # fmt: skip
ended = st.tuples(st.just("end"), st.integers(0, 9), st.sampled_from([None, FAILED, FENCED]))
disturbed = st.one_of(
    edited,
    ended,
    st.tuples(st.just("pause"), slugs),
    st.tuples(st.just("cancel"), st.integers(0, 2)),
    st.tuples(st.just("kill")),
)
started = st.tuples(st.just("start"), st.integers(0, 9))
resumed = st.tuples(st.just("resume"), slugs)
rounds = st.tuples(
    edited,
    st.lists(submitted, min_size=2, max_size=4),
    st.just([("look",)]),
    st.lists(disturbed, max_size=2),
    st.just([("commit",)]),
    st.lists(st.one_of(started, started, ended, resumed), max_size=4),
).map(lambda parts: [parts[0], *(one for part in parts[1:] for one in part)])
"""Something comes between each decision and its commit."""
NO_LIMITS = dict.fromkeys(
    ("running", "cpu_cores", "memory_mb", "gpus", "queued", "submits_per_minute")
)


@pytest.mark.django_db
def test_no_limit_is_exceeded_by_what_is_placed_and_none_leaks() -> None:
    seen: Counter[str] = Counter()

    @hypothesis_settings(max_examples=30, suppress_health_check=list(HealthCheck))
    @given(st.lists(rounds, min_size=3, max_size=6))
    def played(sequence: list[list[tuple[Any, ...]]]) -> None:
        with transaction.atomic():
            instance = Instance()
            for slug in SLUGS:
                for cores in (1, 2, 3, 1):
                    instance.submit(slug, cores, gpus=cores // 3, held=False)
            for name, *values in chain.from_iterable(sequence):
                getattr(instance, name)(*values)
            instance.drain()
            instance.nothing_is_held()
            for slug in SLUGS:
                instance.resume(slug)
                instance.edit(slug, NO_LIMITS)
            instance.drain()
            waiting = Job.objects.filter(state="pending")
            assert [job.pk for job in waiting if not job.held] == []
            instance.nothing_is_held()
            seen.update(instance.seen)
            transaction.set_rollback(True)

    played()
    # The sequences have met what they are about.
    met = ("placed", "overtaken", "refused", "ended", "placed with a key", "gave way")
    assert min(seen[name] for name in met) > 10, seen


@pytest.mark.django_db(transaction=True)
def test_an_edit_is_answered_only_when_what_is_being_placed_is_placed() -> None:
    """Else a placement that was checked against the limits before could be committed after."""
    make_provider()
    make_job(project=make_project("etl"))
    give_classes()
    store = PostgresStore("me", 60)
    made = plan(store.snapshot(DEPTH))
    with other_session() as session:
        for edit in (
            lambda: share_set(SYSTEM, "etl", {"running": 1}),
            lambda: project_pause(SYSTEM, "etl", {}),
        ):
            with transaction.atomic():
                assert len(fitting_now(made.placements)) == 1
                answered = session.begin(edit)
                wait_until(lambda: blocked_sessions() == 1, 10, "the edit waits")
            answered.result(10)
        with transaction.atomic():
            assert fitting_now(made.placements) == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("overflow", "limit", "gone"),
    [("cancel_running", 1, [0, 1, 2, 3, 4]), ("cancel_newest", 5, [5])],
)
def test_who_gives_way_does_not_depend_on_how_deep_a_look_reads(
    overflow: str, limit: int, gone: list[int]
) -> None:
    """Neither where all are one class, nor where a job of another class is the newest."""
    project = make_project("etl")
    asked = {"key": "deploy", "limit": limit, "on_overflow": overflow}
    jobs = [make_job(project=project, spec={"concurrency": asked}) for _ in range(6)]
    make_provider()
    made = plan(PostgresStore("me", 60).snapshot(depth=2))
    assert [one.job for one in made.give_way] == [jobs[at].pk for at in gone]
    patient = {"concurrency": asked | {"on_overflow": "queue"}}
    later = [make_job(project=project, spec=patient) for _ in range(3)]
    snapshot = PostgresStore("me", 60).snapshot(depth=2)
    assert {len(one.jobs) for one in snapshot.classes} == {6, len(later)}
    assert not any(one.more for one in snapshot.classes)
