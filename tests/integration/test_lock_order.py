"""Writers that touch several rows lock them in one order, so that no two wait in a circle.

In each test another session holds the first row of the order. A writer that is given the
rows the other way round must then wait without holding the last one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import transaction

from jobs import stat_store
from jobs.log import store as log_store
from jobs.log.frames import Position, pack
from jobs.log.store import Append
from jobs.models import Attempt
from jobs.stat_pages import Reading
from jobs.stat_store import Measured
from providers import leases
from providers.leases import Fence
from providers.models import Lease
from tests.support.builders import make_provider
from tests.support.connections import OtherSession, blocked_sessions, other_session
from tests.support.engine_rows import hold, placed
from tests.support.log_rows import lines
from tests.support.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def writer() -> Iterator[OtherSession]:
    with other_session() as session:
        yield session


def wait_in_order(
    writer: OtherSession,
    write: Callable[[], Any],
    first: Callable[[], Any],
    last: Callable[[], Any],
) -> Any:
    """Begin the write while `first` is locked; `last` must be free all the while."""
    with transaction.atomic():
        first()
        writing = writer.begin(write)
        wait_until(lambda: blocked_sessions() == 1, 10, "the writer waits")
        last()
    return writing.result(10)


def locked(rows: Any) -> Any:
    return rows.select_for_update(nowait=True).get()


def test_logs_grow_in_the_order_of_their_attempts(writer: OtherSession) -> None:
    provider = make_provider()
    (one, fence), (two, _) = placed(provider), placed(provider)
    before = Position()
    chunks, after = pack(lines(1, 2), before)
    appends = [Append(a.pk, fence, before, after, {"v": 1}, tuple(chunks)) for a in (two, one)]

    def write() -> set[int]:
        with transaction.atomic():
            return log_store.append(appends)

    grown = wait_in_order(
        writer,
        write,
        lambda: locked(Attempt.objects.filter(pk=one.pk)),
        lambda: locked(Attempt.objects.filter(pk=two.pk)),
    )
    assert grown == {one.pk, two.pk}


def test_readings_and_logs_together_go_in_the_order_of_their_attempts(
    writer: OtherSession,
) -> None:
    provider = make_provider()
    (one, fence), (two, _) = placed(provider), placed(provider)
    before = Position()
    chunks, after = pack(lines(1, 2), before)
    log = Append(one.pk, fence, before, after, {"v": 1}, tuple(chunks))
    reading = Measured(two.pk, fence, Reading(datetime.now(UTC), 100, 2**20))

    def write() -> set[int]:
        with transaction.atomic():
            return stat_store.keep([reading], beside=[log]) | log_store.append([log])

    written = wait_in_order(
        writer,
        write,
        lambda: locked(Attempt.objects.filter(pk=one.pk)),
        lambda: locked(Attempt.objects.filter(pk=two.pk)),
    )
    assert written == {one.pk, two.pk}


@pytest.mark.parametrize("do", ["acquire", "renew", "release"])
def test_leases_are_taken_renewed_and_released_in_the_order_of_their_names(
    writer: OtherSession, do: str
) -> None:
    held = [hold("provider:9"), hold("provider:8"), hold("provider:1")]

    def write() -> None:
        if do == "acquire":
            taken = leases.acquire([fence.name for fence in held], "me", 60)
            assert {fence.name for fence in taken} == {fence.name for fence in held}
        elif do == "renew":
            assert leases.renew(held, "me", 60) == {fence.name for fence in held}
        else:
            leases.release(held)

    wait_in_order(
        writer,
        write,
        lambda: locked(Lease.objects.filter(name="provider:1")),
        lambda: leases.fenced({Fence("provider:8", 1), Fence("provider:9", 1)}),
    )
    assert Lease.objects.filter(holder="me").count() == (0 if do == "release" else 3)
