"""Two owners of one lease, on two real connections: the stale one's writes do not land."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import InternalError, OperationalError, connection, transaction
from django.utils import timezone

from jobs import transitions
from jobs.log import store as log_store
from jobs.log.frames import Position, pack
from jobs.log.store import Append
from jobs.models import Attempt, Job, LogChunk
from jobs.queue_models import QueueClass
from jobs.states import Phase
from jobs.transitions import Placement, Wait, Written, Yielding
from orchestrator import postgres_store
from orchestrator.postgres_store import PostgresStore
from orchestrator.store import StoreDown
from projects.models import Event
from providers import leases
from providers.leases import SCHEDULER, Fence
from providers.models import Lease
from tests.support.builders import make_job, make_provider
from tests.support.connections import OtherSession, blocked_sessions, other_session
from tests.support.engine_rows import hold, move, placed, row, take_over, write
from tests.support.log_rows import lines
from tests.support.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def stale() -> Iterator[OtherSession]:
    """The other process: the one that will be overtaken."""
    with other_session() as session:
        yield session


def append_to(attempt: Attempt, fence: Fence, text_lines: int = 3) -> Append:
    before = Position()
    chunks, after = pack(lines(1, text_lines), before)
    return Append(attempt.pk, fence, before, after, {"at": text_lines}, tuple(chunks))


def test_a_takeover_waits_for_an_open_write_which_then_lands_before_it(
    stale: OtherSession,
) -> None:
    attempt, fence = placed()
    go_on, wrote = threading.Event(), threading.Event()

    def write_slowly() -> Written:
        with transaction.atomic():
            (written,) = transitions.apply([move(attempt, fence, Phase.CREATING)]).written
            wrote.set()
            assert go_on.wait(10)
        return written

    slow = stale.begin(write_slowly)
    assert wrote.wait(10)
    with other_session() as taker:
        taking = taker.begin(lambda: take_over(fence))
        wait_until(lambda: blocked_sessions() == 1, 10, "the takeover waits")
        assert row(attempt)["phase"] == "placed"
        go_on.set()
        assert slow.result(10) is Written.DONE
        taken = taking.result(10)
    assert taken.term == fence.term + 1
    assert row(attempt)["phase"] == "creating"


def test_an_owner_renews_its_lease_while_writes_of_its_own_are_open(stale: OtherSession) -> None:
    """Of a busy one some write is always open: it would find no moment to renew."""
    attempt, fence = placed()
    go_on, wrote = threading.Event(), threading.Event()

    def write_slowly() -> Written:
        with transaction.atomic():
            (written,) = transitions.apply([move(attempt, fence, Phase.CREATING)]).written
            assert leases.fenced({fence}) == {fence}
            wrote.set()
            assert go_on.wait(10)
        return written

    slow = stale.begin(write_slowly)
    assert wrote.wait(10)
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '3s'")
            assert leases.renew([fence], "me", 60) == {fence.name}
    finally:
        go_on.set()
    assert slow.result(10) is Written.DONE


def test_a_transaction_held_open_over_a_takeover_writes_nothing_after_it(
    stale: OtherSession,
) -> None:
    """Its snapshot is older than the takeover: only the locked row tells."""
    attempt, fence = placed()
    go_on, opened = threading.Event(), threading.Event()

    def write_late() -> tuple[Written, set[int]]:
        with transaction.atomic():
            assert Attempt.objects.get(pk=attempt.pk).phase == "placed"
            opened.set()
            assert go_on.wait(10)
            (written,) = transitions.apply([move(attempt, fence, Phase.CREATING)]).written
            return written, log_store.append([append_to(attempt, fence)])

    late = stale.begin(write_late)
    assert opened.wait(10)
    take_over(fence)
    go_on.set()
    assert late.result(10) == (Written.FENCED, set())
    assert row(attempt)["phase"] == "placed"
    assert not LogChunk.objects.exists()


def test_a_write_that_waits_behind_a_takeover_does_not_land(stale: OtherSession) -> None:
    attempt, fence = placed()
    with transaction.atomic():
        taken = take_over(fence)
        late = stale.begin(lambda: write(move(attempt, fence, Phase.CREATING)).written)
        wait_until(lambda: blocked_sessions() == 1, 10, "the stale write waits")
    assert late.result(10) == [Written.FENCED]
    assert row(attempt)["phase"] == "placed"
    assert write(move(attempt, taken, Phase.CREATING)).written == [Written.DONE]


def test_an_owner_that_hangs_in_its_transaction_is_ended_by_the_server_and_lands_nothing(
    stale: OtherSession,
) -> None:
    attempt, fence = placed()
    wrote, go_on = threading.Event(), threading.Event()

    def hang() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET idle_in_transaction_session_timeout = '300ms'")
        with transaction.atomic():
            transitions.apply([move(attempt, fence, Phase.CREATING)])
            wrote.set()
            assert go_on.wait(20)

    hung = stale.begin(hang)
    assert wrote.wait(10)
    taken = take_over(fence)  # waits for the server to end the other
    go_on.set()
    with pytest.raises(InternalError):
        hung.result(10)
    stale.do(lambda: connection.close())
    assert taken.term == fence.term + 1
    assert row(attempt)["phase"] == "placed"


@pytest.mark.parametrize("at", ["commit", "statement"])
def test_a_store_whose_session_was_ended_in_its_transaction_is_down_and_comes_back(
    stale: OtherSession, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    """As after SIGSTOP and SIGCONT in the middle of a write: nothing is known, nothing dies."""
    attempt, fence = placed()
    store = PostgresStore("hung", 10)
    wrote, go_on = threading.Event(), threading.Event()

    def hang(word: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET idle_in_transaction_session_timeout = '300ms'")
            wrote.set()
            assert go_on.wait(20)
            if at == "statement":
                cursor.execute("SELECT 1")

    monkeypatch.setattr(postgres_store, "notify_engine", hang)
    moves = [move(attempt, fence, Phase.CREATING)]
    hung = stale.begin(lambda: store.apply(moves, None, wake_scheduler=True))
    assert wrote.wait(10)
    taken = take_over(fence)
    go_on.set()
    with pytest.raises(StoreDown):
        hung.result(10)
    assert row(attempt)["phase"] == "placed"
    later = stale.begin(lambda: store.apply(moves, None, wake_scheduler=False))
    assert later.result(10).written == [Written.FENCED]
    assert taken.term == fence.term + 1


def test_a_store_whose_database_takes_no_writes_is_down_and_comes_back(
    stale: OtherSession,
) -> None:
    """As a standby after a failover, or one that its keeper shuts while the disk is full."""
    attempt, fence = placed()
    store = PostgresStore("shut", 10)

    def shut() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET default_transaction_read_only = on")

    moves = [move(attempt, fence, Phase.CREATING)]
    for ask in (
        lambda: store.acquire(["provider:0"], []),
        lambda: store.append_logs([append_to(attempt, fence)]),
        lambda: store.apply(moves, None, wake_scheduler=False),
    ):
        stale.do(shut)
        with pytest.raises(StoreDown):
            stale.do(ask)
    assert row(attempt)["phase"] == "placed"
    later = stale.begin(lambda: store.apply(moves, None, wake_scheduler=False))
    assert later.result(10).written == [Written.DONE]


def test_a_stale_term_writes_nothing_anywhere() -> None:
    attempt, fence = placed()
    waiting, provider = make_job(), make_provider()
    limited = make_job(queue_timeout_seconds=1, queue_until=timezone.now() - timedelta(1))
    kind = QueueClass.objects.create(project=waiting.project, priority=50, digest=b"", demand={})
    scheduler = Fence(SCHEDULER, Lease.objects.get(name=SCHEDULER).term)
    take_over(fence)
    take_over(scheduler)
    before = [row(thing) for thing in (attempt, attempt.job, waiting, limited, kind)]
    events = Event.objects.count()
    with transaction.atomic():
        assert log_store.append([append_to(attempt, fence)]) == set()
        placements = [Placement(waiting.pk, provider.pk, provider.name)]
        assert transitions.place(scheduler, placements) == []
        assert transitions.explain(scheduler, [Wait(kind.pk, "no_match", {})]) == set()
        assert transitions.expire(scheduler) == []
        assert transitions.due(scheduler) == []
        assert transitions.yield_to(scheduler, [Yielding(waiting.pk, "deploy", 0)]) == []
    assert write(move(attempt, fence, Phase.CREATING)).written == [Written.FENCED]
    assert [row(thing) for thing in (attempt, attempt.job, waiting, limited, kind)] == before
    assert Event.objects.count() == events
    assert not LogChunk.objects.exists()
    assert Attempt.objects.count() == 1


def test_a_second_writer_of_a_log_grows_nothing(stale: OtherSession) -> None:
    attempt, fence = placed()

    def append() -> set[int]:
        with transaction.atomic():
            return log_store.append([append_to(attempt, fence)])

    assert append() == {attempt.pk}
    stored = list(LogChunk.objects.values_list("seq", "body"))
    assert append() == set()
    assert stale.do(append) == set()
    assert list(LogChunk.objects.values_list("seq", "body")) == stored
    assert row(attempt)["log_cursor"] == {"at": 3}


def test_of_two_writers_at_the_same_moment_one_grows_the_log(stale: OtherSession) -> None:
    for _ in range(20):
        attempt, fence = placed()
        begin = threading.Barrier(2)

        def append(attempt: Attempt = attempt, fence: Fence = fence) -> set[int]:
            with transaction.atomic():
                begin.wait(10)  # noqa: B023 -- called within its own round
                return log_store.append([append_to(attempt, fence)])

        theirs = stale.begin(append)
        both = [append(), theirs.result(10)]
        assert sorted(map(len, both)) == [0, 1]
        assert LogChunk.objects.filter(attempt=attempt).count() == 1


# --- the lease itself -----------------------------------------------------------------


def test_a_free_lease_is_taken_once_and_a_held_one_by_nobody() -> None:
    assert leases.acquire(["a", "b"], "me", 60) == [Fence("a", 1), Fence("b", 1)]
    assert leases.acquire(["a", "b", "c"], "other", 60) == [Fence("c", 1)]


def test_a_holder_takes_back_its_own_under_a_new_term() -> None:
    stepped_down_from = hold("a", "me")
    assert leases.acquire(["a"], "me", 60) == [Fence("a", 2)]
    assert leases.fenced([stepped_down_from]) == set()


def test_every_takeover_raises_the_term() -> None:
    fence = hold("a", "me")
    terms = [fence.term]
    for holder in ("x", "y", "me"):
        fence = take_over(fence, holder)
        terms.append(fence.term)
    assert terms == [1, 2, 3, 4]


def test_a_renewal_prolongs_what_is_held_and_nothing_that_was_taken() -> None:
    kept, lost = hold("a"), hold("b")
    take_over(lost)
    until = Lease.objects.get(name="a").expires_at
    assert leases.renew([kept, lost], "me", 600) == {"a"}
    assert Lease.objects.get(name="a").expires_at > until
    assert Lease.objects.get(name="b").holder == "another"


def test_a_holder_may_renew_what_expired_while_nobody_took_it() -> None:
    fence = hold("a")
    Lease.objects.update(expires_at="2001-01-01T00:00Z")
    assert leases.renew([fence], "me", 60) == {"a"}
    assert leases.acquire(["a"], "other", 60) == []


def test_a_lease_given_back_is_free_at_once_and_one_that_was_taken_is_not_given_back() -> None:
    fence = hold("a")
    leases.release([fence])
    assert leases.fenced([fence]) == {fence}  # nobody has taken it yet: its term stands
    assert leases.acquire(["a"], "other", 60) == [Fence("a", 2)]
    leases.release([fence])
    assert Lease.objects.get(name="a").holder == "other"


def test_a_lease_whose_holder_is_known_dead_is_taken_before_it_expires() -> None:
    hold("a", "host/1/dead")
    assert leases.acquire(["a"], "me", 60, ["host/2/other"]) == []
    assert leases.acquire(["a"], "me", 60, ["host/1/dead"]) == [Fence("a", 2)]


def test_of_many_takers_at_once_one_wins_each_lease() -> None:
    sessions = [OtherSession() for _ in range(4)]
    try:
        for round_number in range(60):
            names = [f"{round_number}-{n}" for n in range(3)]
            if round_number % 2:  # leases that existed and ran out
                leases.acquire(names, "old", 60)
                Lease.objects.update(expires_at="2001-01-01T00:00Z")
            taking = [
                session.begin(lambda i=i, names=names: leases.acquire(names, f"holder-{i}", 60))  # type: ignore[misc]
                for i, session in enumerate(sessions)
            ]
            taken = [fence.name for future in taking for fence in future.result(10)]
            assert sorted(taken) == names
    finally:
        for session in sessions:
            session.close()


# --- cancel against place --------------------------------------------------------------


def test_of_a_cancel_and_a_placement_at_the_same_moment_one_wins(stale: OtherSession) -> None:
    """Either the job is cancelled and has no attempt, or it is placed and its host is told."""
    provider, scheduler = make_provider(), hold()
    outcomes = set()
    for _ in range(60):
        job = make_job()
        begin = threading.Barrier(2)

        def place(job: Job = job, begin: threading.Barrier = begin) -> int:
            begin.wait(10)
            with transaction.atomic():
                return len(
                    transitions.place(scheduler, [Placement(job.pk, provider.pk, provider.name)])
                )

        placing = stale.begin(place)
        begin.wait(10)
        cancel = transitions.request_cancel([job.pk], transitions.queue.SCHEDULER)
        count = placing.result(10)
        now = row(job)
        attempts = Attempt.objects.filter(job=job).count()
        assert now["cancel_requested_at"] is not None
        if now["state"] == "cancelled":
            assert (cancel.cancelled, count, attempts) == ([job.pk], 0, 0)
        else:
            assert (now["state"], cancel.requested, count, attempts) == (
                "scheduled",
                [job.pk],
                1,
                1,
            )
        outcomes.add(now["state"])
    assert outcomes <= {"cancelled", "scheduled"}


def test_cancelling_and_placing_many_at_the_same_moment_locks_nobody_out(
    stale: OtherSession,
) -> None:
    """The two meet the rows in different orders. A person's request gets through; the
    planner, when it is the one that the server breaks off, plans again."""
    provider, scheduler = make_provider(), hold()
    for _ in range(8):
        jobs = [make_job() for _ in range(30)]
        begin = threading.Barrier(2)

        def place(jobs: list[Job] = jobs, begin: threading.Barrier = begin) -> None:
            begin.wait(10)
            backwards = sorted((job.pk for job in jobs), reverse=True)
            while True:
                try:
                    with transaction.atomic():
                        waits = [Wait(pk, "no_match", {}) for pk in backwards]
                        transitions.explain(scheduler, waits)
                        transitions.place(
                            scheduler,
                            [Placement(pk, provider.pk, provider.name) for pk in backwards],
                        )
                    return
                except OperationalError as error:
                    if "deadlock" not in str(error):
                        raise

        placing = stale.begin(place)
        begin.wait(10)
        transitions.request_cancel([job.pk for job in jobs], transitions.queue.SCHEDULER)
        placing.result(10)
        states = set(
            Job.objects.filter(pk__in=[j.pk for j in jobs]).values_list("state", flat=True)
        )
        assert states <= {"cancelled", "scheduled"}
