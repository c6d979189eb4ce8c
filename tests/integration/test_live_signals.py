"""The live socket: who gets in, who hears of what, and that nothing is lost on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import connection

from jobs.models import Job
from orchestrator import consumers
from orchestrator.consumers import (
    BURST,
    FOREIGN_ORIGIN,
    MOST_MESSAGE_CHARACTERS,
    MOST_TOPICS,
    SIGNED_OUT,
    TOO_LARGE,
    TOO_MUCH,
    LiveSocket,
    live_socket,
)
from orchestrator.postgres_store import PostgresStore
from orchestrator.relay import Relay
from orchestrator.scheduling.policy import Plan, Told
from orchestrator.topics import TOPIC_KINDS
from projects.hub import Hub, Message, hub
from projects.models import Membership, Project
from projects.notify import JobChange, LiveChanges, notify_jobs, notify_live
from projects.offload import in_database
from providers.leases import SCHEDULER
from providers.models import EngineRequest, Provider
from tests.support.attempts import make_attempt
from tests.support.builders import make_job
from tests.support.sessions import make_person, sign_in
from tests.support.sockets import BrowserSocket, live, scope_of
from tests.support.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def project() -> Project:
    return Project.objects.get_or_create(slug="default", defaults={"name": "Default"})[0]


@pytest.fixture
def job(project: Project) -> Job:
    return make_attempt().job


@pytest.fixture
def provider(job: Job) -> Provider:
    assert job.provider is not None
    return job.provider


@pytest.fixture
def member(project: Project) -> User:
    return make_person(project)


def run(scenario: Coroutine[Any, Any, None]) -> None:
    asyncio.run(scenario)
    assert hub.is_idle, "a closed socket left a subscription behind"


def changed(job: Job, rev: int) -> None:
    notify_jobs([JobChange(job.pk, rev, job.project_id)])


# who gets in


@pytest.mark.parametrize(
    ("origin", "code"),
    [
        (None, FOREIGN_ORIGIN),
        ("https://evil.example", FOREIGN_ORIGIN),
        ("null", FOREIGN_ORIGIN),
        ("http://localhost:1", FOREIGN_ORIGIN),
        ("http://127.0.0.1.evil.example:8000", FOREIGN_ORIGIN),
        ("own", SIGNED_OUT),
        ("http://localhost:8000", SIGNED_OUT),
        ("http://[::1]:8000", SIGNED_OUT),
    ],
)
def test_a_page_of_another_origin_is_refused_before_its_session_is_looked_at(
    origin: str | None, code: int
) -> None:
    async def scenario() -> None:
        browser = BrowserSocket(live_socket, scope_of(origin=origin))
        assert await browser.closed() == code

    run(scenario())


@pytest.mark.parametrize("case", ["no such session", "signed out", "deactivated", "new password"])
def test_a_session_that_is_over_gets_4401(member: User, case: str) -> None:
    key = sign_in(member)
    if case == "no such session":
        key = "x" * 32
    elif case == "signed out":
        Session.objects.all().delete()
    elif case == "deactivated":
        User.objects.update(is_active=False)
    else:
        member.set_password("another")
        member.save()

    async def scenario() -> None:
        assert await BrowserSocket(live_socket, scope_of(key)).closed() == SIGNED_OUT

    run(scenario())


# who hears of what

ALLOWED = {
    "job": {"viewer", "admin"},
    "jobs": {"viewer", "outsider", "admin"},
    "jobs:project": {"viewer", "admin"},
    "provider": {"viewer", "outsider", "admin", "staff"},
    "providers": {"viewer", "outsider", "admin", "staff"},
    "request": {"admin", "staff"},
    "log": {"viewer", "admin"},
}
"""Who is granted each kind; a stranger is in no project, an outsider in another one."""


def test_every_kind_of_topic_has_a_row_in_the_permission_table() -> None:
    assert set(TOPIC_KINDS) == set(ALLOWED)


@pytest.mark.parametrize("who", ["viewer", "stranger", "outsider", "staff", "admin"])
def test_topics_are_granted_to_those_who_may_see_the_page(
    job: Job, provider: Provider, project: Project, who: str
) -> None:
    other = Project.objects.create(slug="other", name="Other")
    user = make_person(
        *{"viewer": [project], "outsider": [other]}.get(who, []),
        staff=who == "staff",
        superuser=who == "admin",
    )
    request = EngineRequest.objects.create(
        provider=provider, kind="probe", deadline="2100-01-01T00:00Z"
    )
    topics = {
        "job": f"job:{job.pk}",
        "jobs": "jobs",
        "jobs:project": f"jobs:{project.pk}",
        "provider": f"provider:{provider.pk}",
        "providers": "providers",
        "request": f"request:{request.pk}",
        "log": f"log:{job.pk}/1",
    }

    async def scenario() -> None:
        async with live(key) as browser:
            browser.say("sub", topics=[t for kind, t in topics.items() if kind != "log"])
            browser.say("log", job=job.pk, attempt=1, after=0)
            browser.say("ping")
            await browser.hear("pong")
            denied = {m["topic"] for m in browser.seen if m["t"] == "denied"}
            assert {kind for kind, t in topics.items() if t not in denied} == {
                kind for kind, allowed in ALLOWED.items() if who in allowed
            }

    key = sign_in(user)
    run(scenario())


def test_a_viewer_hears_of_jobs_of_their_own_projects_only(job: Job, member: User) -> None:
    other = Project.objects.create(slug="other", name="Other")
    foreign = Job.objects.create(
        project=other, name="f", spec={}, image="i", cpu_millis=1, memory_mb=1
    )

    async def scenario() -> None:
        async with live(key) as browser:
            browser.say("sub", topics=["jobs", f"job:{foreign.pk}"])
            await browser.hear("denied")
            await in_database(changed, foreign, 5)
            await in_database(changed, job, 6)
            heard = await browser.hear("jobs")
            assert heard == {"t": "jobs", "topic": "jobs", "every_ms": 468}
            kinds = {m["t"] for m in browser.seen}
            assert kinds <= {"hello", "denied", "subscribed", "jobs", "resync"}

    key = sign_in(member)
    run(scenario())


def test_a_topic_that_is_none_is_denied(job: Job, member: User) -> None:
    topics = ["job:", "job:0", "job:-1", "job:01", "job:1e3", "job:٣", "job:" + "9" * 30]
    topics += ["log:1", "", "x", "resync", "job", f"jobs:{job.project_id}:"]

    async def scenario() -> None:
        async with live(key) as browser:
            for topic in topics:
                browser.say("sub", topics=[topic])
                if topic != "resync":  # every socket has it
                    assert (await browser.hear("denied"))["topic"] == topic

    key = sign_in(member)
    run(scenario())


def test_rights_that_were_taken_away_end_the_subscription_and_then_the_socket(
    job: Job, member: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "RECHECK_SECONDS", 0.2)

    async def scenario() -> None:
        async with live(key) as browser:
            browser.say("sub", topics=[f"job:{job.pk}", "jobs"])
            browser.say("log", job=job.pk, attempt=1, after=0)
            await browser.hear("subscribed")
            assert "denied" not in {m["t"] for m in await browser.heard_within(1)}
            await in_database(Membership.objects.all().delete)
            denied = {(await browser.hear("denied"))["topic"] for _ in range(3)}
            assert denied == {f"job:{job.pk}", "jobs", f"log:{job.pk}/1"}
            assert hub.watchers(("job", job.pk)) == 0
            await in_database(Session.objects.all().delete)
            assert await browser.closed() == SIGNED_OUT

    key = sign_in(member)
    run(scenario())


# what is told, and how often


def test_a_committed_change_is_heard_with_its_revision(job: Job, member: User) -> None:
    async def scenario() -> None:
        async with live(key) as browser:
            browser.say("sub", topics=[f"job:{job.pk}"])
            told = await browser.hear("subscribed")
            assert told == {"t": "subscribed", "topics": [f"job:{job.pk}"]}
            await in_database(changed, job, 17)
            assert await browser.hear("job") == {"t": "job", "id": job.pk, "rev": 17}

    key = sign_in(member)
    run(scenario())


def test_who_is_told_that_it_is_subscribed_misses_nothing_from_then_on(
    job: Job, member: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell, watched = LiveSocket._tell, []

    async def telling(socket: LiveSocket, message: Message) -> None:
        if message["t"] == "subscribed":
            watched.append(
                [hub.watchers(key) for key in (("job", job.pk), ("jobs", job.project_id))]
            )
        await tell(socket, message)

    monkeypatch.setattr(LiveSocket, "_tell", telling)

    async def scenario() -> None:
        async with live(key) as browser:
            browser.say("sub", topics=["jobs", f"job:{job.pk}"])
            await browser.hear("subscribed")

    key = sign_in(member)
    run(scenario())
    assert watched == [[1, 1]]


def test_a_burst_is_told_at_most_twice_a_second_and_its_last_revision_never_lost(
    job: Job, member: User
) -> None:
    def burst() -> None:
        for rev in range(100, 200):
            changed(job, rev)

    async def scenario() -> None:
        async with live(key) as browser:
            browser.say("sub", topics=[f"job:{job.pk}"])
            await browser.hear("subscribed")
            loop = asyncio.get_running_loop()
            began = loop.time()
            await in_database(burst)
            told = [await browser.hear("job")]
            while told[-1]["rev"] != 199:
                told.append(await browser.hear("job"))
            assert len(told) <= 2 * (loop.time() - began) + 1

    key = sign_in(member)
    run(scenario())


def test_providers_and_requests_are_heard_too(provider: Provider) -> None:
    user = make_person(staff=True)
    request = EngineRequest.objects.create(
        provider=provider, kind="probe", deadline="2100-01-01T00:00Z"
    )

    def tell() -> None:
        notify_live(LiveChanges(providers={provider.pk: 3}, requests={request.pk}))

    async def scenario() -> None:
        async with live(key) as browser:
            topics = [f"provider:{provider.pk}", "providers", f"request:{request.pk}"]
            browser.say("sub", topics=topics)
            await browser.hear("subscribed")
            await in_database(tell)
            for kind in ("provider", "request", "providers"):
                if kind not in {message["t"] for message in browser.seen}:
                    await browser.hear(kind)
            assert {"t": "provider", "id": provider.pk, "rev": 3} in browser.seen

    key = sign_in(user)
    run(scenario())


def test_a_lost_database_connection_is_replaced_and_everybody_told_to_fetch_anew(
    job: Job, member: User
) -> None:
    def listeners() -> set[int]:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pid FROM pg_stat_activity WHERE application_name = 'gantry-relay'"
                " AND datname = current_database() AND state = 'idle' AND query <> ''"
            )
            return {pid for (pid,) in cursor.fetchall()}

    def cut() -> None:
        (before,) = listeners()
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", [before])
        # What is told before it listens again is what the resync is for.
        wait_until(lambda: bool(listeners() - {before}), 10, "it listens again")

    async def scenario() -> None:
        async with live(key) as browser:
            browser.say("sub", topics=[f"job:{job.pk}"])
            await browser.hear("subscribed")
            browser.seen.clear()
            await in_database(cut)
            await in_database(changed, job, 40)
            while (await browser.hear("job"))["rev"] != 40:
                pass
            if {"t": "resync"} not in browser.seen:
                await browser.hear("resync")

    key = sign_in(member)
    run(scenario())


def test_a_relay_that_is_stopped_just_when_it_has_looked_over_the_pool_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An end that came in the same round of the loop as the thread's answer was lost."""

    async def scenario() -> None:
        ours = Relay(Hub())
        stopped: asyncio.Future[asyncio.Task[None]] = asyncio.get_running_loop().create_future()

        async def looked_over(_: object) -> None:
            task = ours._task
            assert task is not None
            asyncio.get_running_loop().call_soon(task.cancel)
            stopped.set_result(task)

        monkeypatch.setattr(asyncio, "to_thread", looked_over)
        ours.ensure_running()
        done, _ = await asyncio.wait([await stopped], timeout=10)
        assert done

    run(scenario())


def test_a_resync_reaches_the_members_of_the_project_named(job: Job, member: User) -> None:
    def resync(project_id: int) -> None:
        with connection.cursor() as cursor:
            notice = f'{{"resync": [{project_id}]}}'
            cursor.execute("SELECT pg_notify('gantry_live', %s)", [notice])

    async def scenario() -> None:
        async with live(key) as browser:
            await browser.hear("resync")  # the relay's start
            await in_database(resync, job.project_id + 1000)
            await in_database(resync, job.project_id)
            await browser.hear("resync")
            assert not [m for m in await browser.heard_within(2) if m["t"] == "resync"]

    key = sign_in(member)
    run(scenario())


def test_a_reason_that_changes_lets_the_pages_of_the_jobs_that_wait_for_it_fetch_anew(
    job: Job, member: User
) -> None:
    waiting = make_job(project=job.project)
    assert waiting.queue_class_id is not None
    told = Told(waiting.queue_class_id, "too_large", {"need": "9 CPU", "largest": "8 CPU"})

    def plan() -> None:
        store = PostgresStore("test", 10)
        (fence,) = store.acquire([SCHEDULER], ())
        _, live = store.commit_plan(fence, Plan(waits=(told,)))
        store.tell(live)
        store.release([fence])

    async def scenario() -> None:
        async with live(key) as browser:
            await browser.hear("resync")  # the relay's start
            await in_database(plan)
            await browser.hear("resync")

    key = sign_in(member)
    run(scenario())


# limits


def test_what_is_not_a_message_is_told_so_and_a_flood_ends_the_socket(member: User) -> None:
    bad = ["", "[", "3", "{}", '{"op":"sub"}', '{"op":"log","job":-1,"attempt":1}', "[" * 9000]
    bad += ['{"op":"ack","job":true,"attempt":1,"n":1}', '{"op":"sub","topics":[1]}']
    bad += [r'{"op":"sub","topics":["\ud800"]}']  # half a character: it could not be sent back

    async def scenario() -> None:
        async with live(key) as browser:
            for text in bad:
                browser.say_text(text)
                await browser.hear("error")
            browser.say("ping")
            await browser.hear("pong")
            for _ in range(2 * BURST):
                browser.say("ping")
            assert await browser.closed() == TOO_MUCH

    key = sign_in(member)
    run(scenario())


def test_topics_and_message_sizes_are_bounded(member: User) -> None:
    async def scenario() -> None:
        async with live(key) as browser:
            browser.say("sub", topics=[f"job:{n}" for n in range(1, MOST_TOPICS + 2)])
            assert await browser.closed() == TOO_MUCH
        async with live(key) as browser:
            browser.say_text(" " * (MOST_MESSAGE_CHARACTERS + 1))
            assert await browser.closed() == TOO_LARGE

    key = sign_in(member)
    run(scenario())
