"""The activity: who sees what, filters in the address, pages of one moment, and the file."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import re
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.http import StreamingHttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from jobs.services import job_cancel, job_submit
from orchestrator import activity_export, activity_page
from projects import activity
from projects.actor import Actor
from projects.events import Happening, record
from projects.members import membership_set
from projects.models import ActorKind, Event, Project, Role
from projects.services import token_issue
from projects.sql import fetch
from providers.services import provider_update
from tests.support.builders import (
    make_actor,
    make_job,
    make_project,
    make_provider,
    make_spec,
    make_user,
)
from tests.support.pages import signed_in, words_of

pytestmark = pytest.mark.django_db

HOST = Actor(ActorKind.HOST, None, "engine-1", "engine", is_superuser=True)


@pytest.fixture
def project() -> Project:
    return make_project("etl")


@pytest.fixture
def ada(project: Project) -> User:
    return make_user("ada", project=project, role=Role.ADMIN)


@pytest.fixture
def browser(ada: User) -> Client:
    return signed_in(ada)


def happened(project: Project | None, actor: Actor, *types: str, subject: int = 1) -> None:
    """Events of these types, one after the other."""
    for one in types:
        kind = {"member": "project"}.get(one.partition(".")[0], one.partition(".")[0])
        record([Happening(kind, subject, one, project.pk if project else None)], actor)


def listed(browser: Client, query: str = "") -> list[str]:
    """The types of the events of a list over all its pages, the newest first."""
    found: list[str] = []
    address = f"/activity?{query}"
    while address:
        page = browser.get(address).content.decode()
        found += map(str, re.findall(r'<tr id="event-(\d+)"', page))
        following = re.search(r'rel="next"\s+href="([^"]+)"', page)
        address = following[1].replace("&amp;", "&") if following else ""
    types = dict(Event.objects.values_list("pk", "type"))
    return [types[int(pk)] for pk in found]


def test_a_line_says_who_did_what_through_what_and_what_changed(
    browser: Client, ada: User, project: Project
) -> None:
    job, _ = job_submit(make_actor(ada), data=make_spec(name="nightly", project="etl"))
    job_cancel(make_actor(ada, via="web"), job_id=job.pk)
    membership_set(
        make_actor(ada, via="admin"), project=project, user=make_user("bo"), role=Role.VIEWER
    )
    page = browser.get("/activity")
    words = words_of(page)
    member, cancelled, submitted = re.findall(r"ada through .*?(?=ada through|Newest|$)", words)
    assert "through the admin Member changed etl" in member
    assert "bo none to viewer" in member
    assert "through these pages Cancelled nightly" in cancelled
    assert "pending to cancelled" in cancelled
    assert "through the API Submitted nightly" in submitted
    assert f'href="/jobs/{job.pk}"' in page.content.decode()


def test_a_change_of_a_provider_tells_the_old_and_the_new_and_no_address(project: Project) -> None:
    operator = make_user("op", project=project, staff=True)
    provider = make_provider("node-1", kind="docker")
    provider_update(
        make_actor(operator),
        provider.pk,
        {"slots": 3, "options": {"base_url": "tcp://10.0.0.9:2376"}},
    )
    words = words_of(signed_in(operator).get("/activity"))
    assert "slots none to 3" in words
    assert "options changed" in words
    assert "10.0.0.9" not in words


# --- who sees what ---


def test_members_see_their_projects_and_operators_the_instance(project: Project) -> None:
    other = make_project("other")
    root = make_actor(make_user("root", superuser=True))
    happened(project, root, "job.submitted")
    happened(other, root, "job.cancelled")
    happened(None, root, "provider.updated")
    seen = {
        "member": (make_user(project=project, role=Role.VIEWER), {"job.submitted"}),
        "staff": (make_user(staff=True), {"provider.updated"}),
        "both": (make_user(project=other, staff=True), {"provider.updated", "job.cancelled"}),
        "stranger": (make_user(), set()),
        "superuser": (
            User.objects.get(username="root"),
            {"job.submitted", "job.cancelled", "provider.updated"},
        ),
    }
    for name, (user, types) in seen.items():
        browser = signed_in(user)
        for query in ("", "who=all", "person=root", "since=1h"):
            assert set(listed(browser, query)) == types, f"{name} {query}"
        assert set(listed(browser, "type=job")) == {t for t in types if t.startswith("job")}
        assert set(listed(browser, "subject=provider:1")) == types & {"provider.updated"}


def test_a_foreign_project_cannot_be_asked_for(browser: Client, project: Project) -> None:
    happened(make_project("secret"), HOST, "job.submitted")
    words = words_of(browser.get("/activity?project=secret&who=all"))
    assert "There is no project “secret” that you can see." in words
    assert browser.get("/activity/export?project=secret").status_code == 400


# --- filters ---


@pytest.fixture
def history(project: Project, ada: User) -> None:
    """What three actors did, oldest first."""
    happened(project, make_actor(ada), "job.submitted", "job.cancelled")
    happened(project, HOST, "job.placed", "attempt.starting", "job.completed")
    happened(project, make_actor(make_user("bo", project=project)), "job.submitted", subject=2)
    happened(project, make_actor(ada), "member.changed", subject=project.pk)


@pytest.mark.usefixtures("history")
def test_the_address_says_what_is_listed(browser: Client) -> None:
    assert listed(browser) == ["member.changed", "job.submitted", "job.cancelled", "job.submitted"]
    assert listed(browser, "who=gantry") == ["job.completed", "attempt.starting", "job.placed"]
    assert len(listed(browser, "who=all")) == 7
    assert listed(browser, "person=bo") == ["job.submitted"]
    assert listed(browser, "type=job.cancelled") == ["job.cancelled"]
    assert listed(browser, "type=job&who=gantry") == ["job.completed", "job.placed"]
    assert listed(browser, "type=member&person=ada&project=etl") == ["member.changed"]
    assert listed(browser, "subject=job:2&who=all") == ["job.submitted"]
    assert listed(browser, "subject=2") == ["job.submitted"]


@pytest.mark.usefixtures("history")
def test_since_leaves_out_what_is_older(browser: Client) -> None:
    Event.objects.filter(type="job.cancelled").update(at=timezone.now() - timedelta(hours=3))
    assert "job.cancelled" in listed(browser, "since=4h")
    assert "job.cancelled" not in listed(browser, "since=2h")
    assert listed(browser, "since=2h&type=job") == ["job.submitted", "job.submitted"]


def test_what_cannot_be_read_is_named_and_kept(browser: Client) -> None:
    words = words_of(browser.get("/activity?who=god&type=%21&subject=seven&since=soon"))
    assert "“god” is nobody; use one of: people, gantry, all." in words
    assert "“!” is no type" in words
    assert "“seven” names nothing; write job:42" in words
    assert "“soon” is no time; write 30m, 24h, 7d" in words
    assert "This filter cannot be read" in words
    assert 'value="seven"' in browser.get("/activity?subject=seven").content.decode()
    assert browser.get("/activity?person=%00&subject=job:99999999999999999999").status_code == 200


def test_nothing_yet_nobody_yet_and_no_match_are_different(
    browser: Client, project: Project
) -> None:
    assert "Nothing has happened yet" in words_of(browser.get("/activity"))
    happened(project, HOST, "job.placed")
    assert "Nobody has done anything yet" in words_of(browser.get("/activity"))
    words = words_of(browser.get("/activity?person=nobody"))
    assert "Nothing matches" in words
    assert "Clear the filter" in words


def test_names_are_text_and_nothing_else(browser: Client, project: Project) -> None:
    nasty = '"><script>alert(1)</script>'
    actor = Actor(ActorKind.USER, 1, nasty, "<b>")
    record(
        [Happening("token", 1, "token.issued", project.pk, detail={"name": nasty, "x": nasty})],
        actor,
    )
    page = browser.get("/activity").content.decode()
    assert "<script>alert" not in page
    assert "<b>" not in re.sub(r"<b>\d+</b>", "", page)


# --- pages ---


def test_pages_go_on_where_they_ended_and_miss_nothing(
    browser: Client, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(activity_page, "PAGE_SIZE", 3)
    types = [f"job.t{'x' * n}" for n in range(1, 9)]
    happened(project, HOST, *types)
    assert listed(browser, "who=all") == types[::-1]


def test_what_no_index_leads_to_is_searched_piece_by_piece(
    browser: Client, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    happened(project, HOST, "job.cancelled", *["job.placed"] * 12)
    monkeypatch.setattr(activity, "SEARCHED_AT_ONCE", 5)
    words = words_of(browser.get("/activity?who=all&type=job.cancelled"))
    assert "Nothing since" in words
    assert "Search further back" in words
    assert listed(browser, "who=all&type=job.cancelled") == ["job.cancelled"]


def test_a_cursor_or_mark_that_is_not_ours_is_refused(browser: Client) -> None:
    for query in ("cursor=made-up", "mark=made-up"):
        response = browser.get(f"/_/activity?{query}")
        assert response.status_code == 400
        assert "begin again without it" in words_of(response)


def test_the_number_of_queries_does_not_grow_with_events_and_projects(
    browser: Client, ada: User, project: Project
) -> None:
    def queries() -> dict[str, int]:
        found = {}
        for query in ("", "who=all", "person=ada", "type=job", "since=1h"):
            with CaptureQueriesContext(connection) as captured:
                browser.get(f"/_/activity?{query}")
            found[query] = len(captured)
        return found

    happened(project, make_actor(ada), "job.submitted")
    few = queries()
    for n in range(8):
        other = make_project()
        ada.memberships.create(project=other, role=Role.VIEWER)
        job = make_job(project=other)
        happened(other, make_actor(ada), "job.submitted", "job.cancelled", subject=job.pk + n)
    assert queries() == few


def _insert_late(project: int) -> psycopg.Connection[Any]:
    """An event that has its id and is not committed yet."""
    late = psycopg.connect(
        **{
            name: value
            for name, value in connection.get_connection_params().items()
            if name in ("dbname", "user", "password", "host", "port")
        }
    )
    late.execute(
        "INSERT INTO projects_event (subject_kind, subject_id, project_id, type, from_state,"
        " to_state, reason, detail, actor_kind, actor_name, via, request_id)"
        " VALUES ('job', 1, %s, 'job.late', '', '', '', '{}', 'user', 'bo', 'api', '')",
        [project],
    )
    return late


@pytest.mark.django_db(transaction=True)
def test_what_is_committed_late_is_new_and_moves_no_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(activity_page, "PAGE_SIZE", 2)
    project = make_project("etl")
    user = make_user("ada", project=project)
    browser, actor = signed_in(user), make_actor(user)
    happened(project, actor, "job.one", "job.two")
    late = _insert_late(project.pk)
    try:
        happened(project, actor, "job.three", "job.four")
        page = browser.get("/_/activity").content.decode()
        mark = re.search(r'data-held-value="([^"]+)"', page)
        following = re.search(r'rel="next"\s+href="/activity\?([^"]+)"', page)
        assert mark is not None
        assert following is not None
        late.commit()
    finally:
        late.close()
    happened(project, actor, "job.five")
    held = browser.get("/_/activity", {"mark": mark[1]})
    rows = re.findall(r'<tr id="event-(\d+)"', held.content.decode())
    assert rows == re.findall(r'<tr id="event-(\d+)"', page)
    assert "2 new" in words_of(held)
    walked = browser.get(f"/_/activity?{following[1]}").content.decode()
    assert ">Late<" not in walked
    assert len(re.findall(r'<tr id="event-', walked)) == 2
    assert listed(browser) == [
        "job.five", "job.four", "job.three", "job.late", "job.two", "job.one",
    ]  # fmt: skip


def _mark(browser: Client, query: str) -> str:
    found = re.search(
        r'data-held-value="([^"]+)"', browser.get(f"/_/activity?{query}").content.decode()
    )
    assert found is not None
    return found[1]


@pytest.mark.django_db(transaction=True)
def test_news_are_looked_for_among_the_newest_and_a_number_that_is_not_whole_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    project = make_project("etl")
    user = make_user("ada", project=project)
    browser, actor = signed_in(user), make_actor(user)
    happened(project, actor, "job.submitted")
    mark = _mark(browser, "")

    def pill() -> str:
        words = words_of(browser.get("/_/activity", {"mark": mark}))
        return words[: words.index("When,")].strip()

    assert pill() == ""
    happened(project, actor, *["job.submitted"] * 4)
    assert pill() == "4 new"
    monkeypatch.setattr(activity_page, "MOST_NEWS", 3)
    assert pill() == "3+ new"
    monkeypatch.setattr(activity, "NEWS_LOOKED_AT", 2)
    assert pill() == "2+ new"
    happened(project, HOST, *["job.placed"] * 2)
    assert pill() == "Perhaps some new"
    monkeypatch.setattr(activity, "NEWS_LOOKED_AT", 100)
    assert pill() == "3+ new"


@pytest.mark.django_db
def test_the_first_of_the_news_is_by_number_also_where_numbers_become_longer() -> None:
    project = make_project("etl")
    happened(project, HOST, *["job.placed"] * 2)
    nine, ten = Event.objects.order_by("pk").values_list("pk", flat=True)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE projects_event SET xid = '9' WHERE id = %s", [nine])
        cursor.execute("UPDATE projects_event SET xid = '10' WHERE id = %s", [ten])
    assert fetch("newest_since", ["3:3:", 100]) == [("9", nine, 2)]


# --- the file ---


def _content(response: Any) -> str:
    assert isinstance(response, StreamingHttpResponse)

    async def read() -> bytes:
        return b"".join([bytes(part) async for part in response])

    return asyncio.run(read()).decode()


@pytest.mark.django_db(transaction=True)
def test_the_file_has_all_that_the_filter_lists_in_as_many_reads_as_it_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    project = make_project("etl")
    user = make_user("ada", project=project)
    browser = signed_in(user)
    happened(make_project("secret"), HOST, "job.submitted")
    happened(project, make_actor(user), *[f"job.n{n}" for n in range(7)])
    happened(project, HOST, "job.placed")
    monkeypatch.setattr(activity_export, "AT_ONCE", 3)
    response = browser.get("/activity/export?format=csv")
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert re.search(r'filename="activity-[\d-]+\.csv"', response["Content-Disposition"])
    lines = list(csv.DictReader(io.StringIO(_content(response))))
    assert [line["type"] for line in lines] == [f"job.n{n}" for n in range(7)][::-1]
    assert {(line["actor"], line["via"], line["project"]) for line in lines} == {
        ("ada", "api", "etl")
    }
    found = json.loads(_content(browser.get("/activity/export?format=json&who=gantry")))
    assert [item["type"] for item in found["items"]] == ["job.placed"]
    assert found["complete"] is True
    found = json.loads(_content(browser.get("/activity/export?format=json")))
    assert (len(found["items"]), found["complete"]) == (7, True)
    monkeypatch.setattr(activity, "SEARCHED_AT_ONCE", 2)  # reads that find nothing among them
    found = json.loads(_content(browser.get("/activity/export?format=json&type=job")))
    assert [item["type"] for item in found["items"]] == [f"job.n{n}" for n in range(7)][::-1]
    token_issue(make_actor(user), user=user, name="ci")
    assert (
        json.loads(_content(browser.get("/activity/export?format=json&type=token")))["items"] == []
    )  # the instance's, which members do not see


def test_a_format_that_there_is_not_is_refused(browser: Client) -> None:
    response = browser.get("/activity/export?format=xlsx")
    assert response.status_code == 400
    assert "use csv or json" in words_of(response)
