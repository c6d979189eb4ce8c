"""Lists for which very many jobs would have to be looked through: in time, and honest."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client
from django.utils import timezone

from jobs import bulk, search
from jobs.bulk import preview
from jobs.bulk_words import Action
from jobs.filters import JobFilter
from jobs.models import Job
from jobs.query import Term
from jobs.selectors import job_page, job_state_counts
from jobs.states import JobState
from jobs.stretches import NONE
from projects.actor import Actor
from tests.support.builders import bearer, make_actor, make_job, make_project, make_user
from tests.support.pages import signed_in, words_of

pytestmark = pytest.mark.django_db

APART = 50_000
"""Ids of the jobs here are so far apart that each is in a stretch of its own."""
NEEDLE = JobFilter((Term("label", "needle"),))


@pytest.fixture
def actor() -> Actor:
    return make_actor(make_user("ada", project=make_project("default")))


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every look at the table takes longer than a whole search may."""
    seconds = count()
    monkeypatch.setattr(search, "clock", lambda: float(next(seconds)))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking takes no time."""
    monkeypatch.setattr(search, "clock", lambda: 0.0)


@pytest.fixture
def jobs() -> list[Job]:
    """Ten jobs far apart, an hour between one and the next; every third has the label."""
    now = timezone.now()
    return [
        make_job(
            id=APART * n,
            name=f"job-{n}",
            labels={"needle": ""} if n % 3 == 0 else {},
            state="failed" if n % 2 else "completed",
            created_at=now - timedelta(hours=10 - n),
        )
        for n in range(1, 11)
    ]


def pages(client: Client, query: str, headers: Any) -> Iterator[Any]:
    """The API's pages of a list, to the last."""
    cursor = ""
    while cursor is not None:
        more = f"&cursor={cursor}" if cursor else ""
        body = client.get(f"/api/v1/jobs?{query}{more}", **headers).json()
        yield body
        cursor = body["next_cursor"]


@pytest.mark.usefixtures("slow")
@pytest.mark.parametrize("sort", ["newest", "oldest"])
def test_a_search_that_takes_long_is_answered_in_parts_that_together_miss_nothing(
    client: Client, jobs: list[Job], sort: str
) -> None:
    headers = bearer(make_user("bob", project=make_project("default")))
    found = list(pages(client, f"q=label:needle&limit=2&sort={sort}", headers))
    names = [job["name"] for body in found for job in body["items"]]
    assert names == ["job-9", "job-6", "job-3"][:: 1 if sort == "newest" else -1]
    assert len(found) > 5
    reached = [body["searched_to"] for body in found[:-1]]
    assert all(reached)
    assert reached == sorted(reached, reverse=sort == "newest")
    assert found[-1]["searched_to"] is None


@pytest.mark.usefixtures("quick")
def test_with_time_enough_the_same_search_is_one_page(actor: Actor, jobs: list[Job]) -> None:
    page = job_page(actor, NEEDLE, limit=5)
    assert [job.name for job in page.items] == ["job-9", "job-6", "job-3"]
    assert (page.next_cursor, page.searched_to) == (None, None)


@pytest.mark.usefixtures("slow")
def test_a_page_that_is_full_in_time_goes_on_after_its_last_job(
    actor: Actor, jobs: list[Job]
) -> None:
    page = job_page(actor, JobFilter(), limit=1)
    assert [job.name for job in page.items] == ["job-10"]
    assert page.searched_to is None
    following = job_page(actor, JobFilter(), limit=1, cursor=page.next_cursor)
    assert following.items or following.searched_to


@pytest.mark.usefixtures("slow", "jobs")
def test_the_page_says_how_far_it_searched_and_goes_on(actor: Actor) -> None:
    browser = signed_in(make_user("bob", project=make_project("default")))
    response = browser.get("/jobs?q=label:needle")
    assert "Nothing found yet" in words_of(response)
    assert "there are older jobs to look through" in words_of(response)
    for _ in range(3):
        further = re.search(r'rel="next"\s+href="(/jobs\?[^"]+)"', response.content.decode())
        assert further is not None
        response = browser.get(further[1].replace("&amp;", "&"))
    words = words_of(response)
    assert re.search(r"Searched back to \d+ \w{3} \d\d:\d\d, and found 1 so far", words), words
    assert "Search further" in words
    assert "No job matches" not in words


@pytest.mark.usefixtures("slow")
def test_times_in_the_query_say_where_the_search_begins_and_ends(
    actor: Actor, jobs: list[Job]
) -> None:
    until = JobFilter((*NEEDLE.terms, Term("until", jobs[2].created_at.isoformat())))
    assert job_page(actor, until).next_cursor is not None
    exactly = (jobs[2].created_at + timedelta(minutes=1)).isoformat()
    page = job_page(actor, JobFilter((*NEEDLE.terms, Term("until", exactly))))
    assert [job.name for job in page.items] == ["job-3"]
    since = JobFilter((*NEEDLE.terms, Term("since", "30m")))
    assert job_page(actor, since).next_cursor is None
    assert job_page(actor, since).items == []


@pytest.mark.usefixtures("slow", "jobs")
def test_counts_that_were_broken_off_say_at_least(actor: Actor) -> None:
    counts = job_state_counts(actor, NEEDLE)
    assert counts[JobState.FAILED] == (0, False)
    assert counts[JobState.PENDING] == (0, True)  # live states are exact, always
    browser = signed_in(make_user("bob", project=make_project("default")))
    assert re.search(
        r"Failed <b>0\+</b>", browser.get("/_/jobs/counts?q=label:needle").content.decode()
    )


@pytest.mark.usefixtures("slow", "jobs")
def test_a_bulk_action_says_when_it_could_not_look_through_all_jobs(actor: Actor) -> None:
    seen = preview(actor, Action.RERUN, NEEDLE)
    assert (seen.hit, seen.cut_short) == ((), True)
    assert not seen.total[1]
    browser = signed_in(make_user("bob", project=make_project("default")))
    words = words_of(browser.get("/jobs/bulk?action=rerun&all=1&q=label:needle"))
    assert "Not all jobs could be looked through in time" in words


@pytest.mark.usefixtures("jobs")
def test_all_searches_of_a_preview_share_one_time(
    actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, given = [100.0], list[float]()

    def slow(*_: object, seconds: float, **__: object) -> search.Found:
        given.append(round(seconds, 3))
        now[0] += 0.3
        return search.Found([], NONE)

    monkeypatch.setattr(search, "clock", lambda: now[0])
    monkeypatch.setattr(bulk, "first_of", slow)
    seen = preview(actor, Action.CANCEL, NEEDLE)
    assert given == [0.5, 0.2]
    assert seen.cut_short


def test_jobs_far_apart_are_cancelled_together_when_they_were_selected(actor: Actor) -> None:
    far = [make_job(id=APART * APART * n) for n in range(1, 4)]
    seen = preview(actor, Action.CANCEL, [job.pk for job in far])
    assert set(seen.hit) == {job.pk for job in far}
    assert not seen.cut_short


def test_every_order_lists_what_it_says_and_is_walked_without_loss(
    client: Client, actor: Actor
) -> None:
    headers = bearer(make_user("bob", project=make_project("default")))
    now = timezone.now()
    for n in (3, 1, 2, 1):
        make_job(name=f"runs-{n}", state="running", started_at=now - timedelta(minutes=n))
    make_job(name="runs-0", state="running")  # its engine has not told yet
    for n, priority in enumerate((50, 90, 10, 90)):
        make_job(name=f"waits-{n}", priority=priority)

    def listed(query: str) -> list[str]:
        found = pages(client, f"limit=2&{query}", headers)
        return [job["name"] for body in found for job in body["items"]]

    assert listed("sort=longest-running&q=state:running") == [
        "runs-3", "runs-2", "runs-1", "runs-1", "runs-0"
    ]  # fmt: skip
    assert listed("sort=queue&q=state:pending") == ["waits-1", "waits-3", "waits-0", "waits-2"]
    make_job(name="held-99", priority=99, held=True)
    make_job(name="held-98", priority=98, held=True)
    make_job(name="again-1", priority=1, reason="backoff", not_before=now + timedelta(hours=1))
    assert listed("sort=queue&q=state:pending") == [
        "waits-1", "waits-3", "waits-0", "waits-2", "again-1", "held-99", "held-98",
    ]  # fmt: skip
    assert listed("sort=queue&q=state:pending+-name:waits-3+-name:held-99") == [
        "waits-1", "waits-0", "waits-2", "again-1", "held-98",
    ]  # fmt: skip
    Job.objects.filter(name__in=["held-99", "held-98", "again-1"]).delete()
    assert listed("sort=longest-waiting&q=state:pending") == [f"waits-{n}" for n in range(4)]
    assert listed("sort=oldest")[:2] == ["runs-3", "runs-1"]
    assert listed("sort=newest") == listed("") == listed("sort=oldest")[::-1]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("sort=age", "Use one of: newest, oldest, longest-running"),
        ("sort=newest&sort=oldest", "Give it only once."),
        ("sort=queue", "“queue” is an order of pending jobs alone; add state:pending."),
        ("sort=longest-running&q=state:failed", "add state:running"),
    ],
)
def test_an_order_that_cannot_be_had_is_named(client: Client, query: str, words: str) -> None:
    headers = bearer(make_user("bob", project=make_project("default")))
    response = client.get(f"/api/v1/jobs?{query}", **headers)  # type: ignore[arg-type]
    assert response.status_code == 422
    (problem,) = response.json()["errors"]
    assert problem["pointer"] == "/sort"
    assert words in problem["detail"]


def test_a_cursor_belongs_to_its_order(client: Client) -> None:
    headers = bearer(make_user("bob", project=make_project("default")))
    for _ in range(3):
        make_job()
    cursor = client.get("/api/v1/jobs?limit=1&sort=oldest", **headers).json()["next_cursor"]  # type: ignore[arg-type]
    assert client.get(f"/api/v1/jobs?cursor={cursor}", **headers).status_code == 400  # type: ignore[arg-type]
    longest = "limit=1&sort=longest-running&q=state:running"
    for _ in range(2):
        make_job(state="running")
    gone = client.get(f"/api/v1/jobs?{longest}", **headers).json()  # type: ignore[arg-type]
    Job.objects.all().delete()
    query = f"{longest}&cursor={quote(gone['next_cursor'])}"
    assert "is gone" in client.get(f"/api/v1/jobs?{query}", **headers).json()["detail"]  # type: ignore[arg-type]


def test_the_page_offers_orders_and_narrows_the_list_to_those_that_have_one() -> None:
    browser = signed_in(make_user("ada", project=make_project("default")))
    make_job(state="running")
    page = browser.get("/jobs?q=label:x+state:failed").content.decode()
    assert "/jobs?q=state%3Arunning+label%3Ax&amp;sort=longest-running" in page
    assert "/jobs?q=label%3Ax+state%3Afailed&amp;sort=oldest" in page
    page = browser.get("/jobs?q=state:running&sort=longest-running").content.decode()
    assert 'name="sort" value="longest-running"' in page
    # another state does not have that order: the list says so by going back to the usual one
    words = words_of(browser.get("/jobs?q=state:failed&sort=longest-running"))
    assert "Order:Newest first" in words


def test_the_list_is_copied_as_a_command_that_reads_it_from_the_api() -> None:
    browser = signed_in(make_user("ada", project=make_project("default")))
    page = html.unescape(browser.get("/jobs?q=state:running&sort=oldest").content.decode())
    address = "http://testserver/api/v1/jobs?q=state%3Arunning&sort=oldest"
    assert f"curl '{address}' -H \"Authorization: Bearer $GANTRY_TOKEN\"" in page
    assert "curl http://testserver/api/v1/jobs -H" in browser.get("/jobs?all").content.decode()


def test_jobs_of_a_concurrency_key_are_found_by_it(client: Client) -> None:
    headers = bearer(make_user("bob", project=make_project("default")))
    make_job(name="one", concurrency_key="deploy")
    make_job(name="two", concurrency_key="deploy", state="completed")
    make_job(name="three", concurrency_key="train, nightly")
    make_job(name="none")

    def listed(query: str) -> set[str]:
        found = client.get(f"/api/v1/jobs?{query}", **headers)  # type: ignore[arg-type]
        return {job["name"] for job in found.json()["items"]}

    assert listed("q=key:deploy") == listed("key=deploy") == {"one", "two"}
    assert listed("q=key:deploy+state:pending") == {"one"}
    assert listed('q=key:deploy+key:"train,+nightly"') == {"one", "two", "three"}
    assert listed("q=-key:deploy") == {"three", "none"}
    assert listed("q=key:nobodys") == set()


def test_jobs_are_found_by_lists_of_their_numbers(client: Client) -> None:
    headers = bearer(make_user("bob", project=make_project("default")))
    ids = [make_job(name=f"n{number}").pk for number in range(6)]
    hidden = make_job(project=make_project("secret")).pk

    def listed(query: str) -> list[str]:
        found = client.get(f"/api/v1/jobs?{query}", **headers)  # type: ignore[arg-type]
        return sorted(job["name"] for job in found.json()["items"])

    some = f"{ids[0]},{ids[2]}-{ids[4]},{hidden}"
    assert listed(f"q=id:{some}") == listed(f"id={some}") == ["n0", "n2", "n3", "n4"]
    assert listed(f"id={ids[0]}&id={ids[5]}") == ["n0", "n5"]
    assert listed(f"q=-id:{some}") == ["n1", "n5"]
    assert listed(f"id={hidden}") == []
    assert client.get("/api/v1/jobs?id=x", **headers).status_code == 422  # type: ignore[arg-type]
