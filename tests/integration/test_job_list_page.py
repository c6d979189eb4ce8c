"""The list of jobs: filters in the address, pages, counts, and a steady number of queries."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import re
from typing import Any

import pytest
from django.db import connection
from django.http import StreamingHttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext

from jobs import job_export
from tests.support.builders import make_job, make_project, make_provider, make_user
from tests.support.pages import signed_in, words_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser() -> Client:
    """A submitter of two projects."""
    user = make_user("ada", project=make_project("etl"))
    user.memberships.create(project=make_project("ci"), role="viewer")
    return signed_in(user)


def listed(browser: Client, query: str) -> list[str]:
    page = browser.get(f"/_/jobs/rows?{query}").content.decode()
    return re.findall(r'<a href="/jobs/\d+">([^<]+)</a>', page)


def test_the_address_says_what_is_listed(browser: Client) -> None:
    make_job(name="load", project=make_project("etl"), state="failed")
    make_job(name="lint", project=make_project("ci"), state="failed")
    make_job(name="later", project=make_project("etl"), labels={"tier": "gold"})
    assert listed(browser, "") == ["later", "lint", "load"]
    assert listed(browser, "state=failed") == ["lint", "load"]
    assert listed(browser, "state=failed&project=etl") == ["load"]
    assert listed(browser, "q=la") == ["later"]
    assert listed(browser, "label=tier%3Dgold") == ["later"]


def test_the_query_of_the_address_stands_in_the_box_in_whatever_form_it_came(
    browser: Client,
) -> None:
    for query in ("state=failed&label=a%3Db&q=lo", "q=state:failed+label:a%3Db+lo"):
        page = browser.get(f"/jobs?{query}").content.decode()
        assert 'type="search" value="state:failed label:a=b lo"' in re.sub(r"\s+", " ", page)


def test_each_count_equals_the_rows_it_leads_to(browser: Client) -> None:
    for state, number in (("failed", 3), ("completed", 2), ("pending", 1)):
        for _ in range(number):
            make_job(project=make_project("etl"), state=state)
    make_job(project=make_project("ci"), state="failed")
    make_job(project=make_project("etl"), state="failed", labels={"debug": "1"})
    words = "q=project:etl+-label:debug+-state:pending"
    page = browser.get(f"/_/jobs/counts?{words}").content.decode()
    chips = re.findall(r'href="/jobs\?([^"]+)"[^>]*>.*?<b>([\d,]+\+?)</b>', page, re.S)
    assert len(chips) == 7
    for query, count in chips:
        assert len(listed(browser, query.replace("&amp;", "&"))) == int(count), query


def test_older_jobs_are_a_link_away_and_none_is_missed(browser: Client) -> None:
    project = make_project("etl")
    wanted = [make_job(name=f"job-{n:03}", project=project).name for n in range(120)][::-1]
    seen: list[str] = []
    query = "project=etl"
    while query:
        seen += listed(browser, query)
        page = browser.get(f"/jobs?{query}").content.decode()
        following = re.search(r'rel="next"\s+href="/jobs\?([^"]+)"', page)
        query = following[1].replace("&amp;", "&") if following else ""
    assert seen == wanted


def test_the_number_of_queries_does_not_grow_with_the_rows(browser: Client) -> None:
    def queries(url: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            browser.get(url)
        return len(captured)

    project = make_project("etl")
    make_job(project=project, provider=make_provider())
    one = {url: queries(url) for url in ("/jobs", "/_/jobs/rows", "/_/jobs/counts")}
    for state in ("completed", "failed", "running", "cancelled", "scheduled") * 8:
        make_job(project=project, state=state, submitted_by=make_user())
    assert {url: queries(url) for url in one} == one


def test_names_and_labels_of_people_are_text_and_nothing_else(browser: Client) -> None:
    nasty = '"><script>alert(1)</script><img src=x onerror=alert(1)>&lt;'
    project = make_project("etl")
    job = make_job(name=nasty, project=project, labels={"items": nasty, "x": "{{ 7|add:7 }}"})
    for url in ("/jobs", f"/jobs/{job.pk}", f"/jobs/{job.pk}?tab=spec", f"/jobs/new?from={job.pk}"):
        page = browser.get(url).content.decode()
        assert "<script>alert" not in page, url
        assert "<img src=x" not in page, url
    assert f"items={nasty}" in words_of(browser.get(f"/jobs/{job.pk}"))
    assert nasty in words_of(browser.get("/jobs"))


def test_a_word_that_cannot_be_read_is_named_and_what_was_typed_is_kept(browser: Client) -> None:
    make_job(name="load", project=make_project("etl"))
    response = browser.get("/jobs?q=state:sleeping+load&project=etl")
    words = words_of(response)
    assert response.status_code == 200
    assert "“state:sleeping”: there is no state “sleeping”; use one of: pending" in words
    assert 'value="state:sleeping load project:etl"' in response.content.decode()
    assert "This filter cannot be read" in words
    assert listed(browser, "q=state:sleeping+load") == []


def test_a_cursor_of_other_filters_is_refused_in_words(browser: Client) -> None:
    response = browser.get("/jobs?cursor=made-up")
    assert response.status_code == 400
    assert "cursor is not valid" in words_of(response)


def test_nothing_yet_and_nothing_that_matches_are_different_pages(browser: Client) -> None:
    assert "No jobs yet" in words_of(browser.get("/jobs"))
    make_job(project=make_project("etl"))
    words = words_of(browser.get("/jobs?q=zzz"))
    assert "No job matches" in words
    assert "Clear the filter" in words


def test_a_name_that_one_sees_nothing_of_is_named_where_nothing_matches(browser: Client) -> None:
    make_job(project=make_project("etl"))
    make_job(project=make_project("secret"))
    words = words_of(browser.get("/jobs?q=project:etk,etl+provider:nod"))
    assert "There is no provider nod that you can see" in words
    for slug in ("etk", "secret"):
        words = words_of(browser.get(f"/jobs?q=project:{slug}"))
        assert f"There is no project {slug} that you can see" in words


def test_a_job_is_found_by_its_number_with_and_without_the_mark(browser: Client) -> None:
    job = make_job(project=make_project("etl"))
    assert listed(browser, f"q={job.pk}") == listed(browser, f"q=%23{job.pk}") == [job.name]


def test_the_rows_ask_for_themselves_with_the_filters_of_the_page(browser: Client) -> None:
    make_job(project=make_project("etl"), state="failed")
    page = browser.get("/jobs?state=failed").content.decode()
    assert 'hx-get="/_/jobs/rows?q=state%3Afailed"' in page
    assert page.count('data-live="jobs"') == 2


def content(response: Any) -> str:
    assert isinstance(response, StreamingHttpResponse)

    async def read() -> bytes:
        return b"".join([bytes(part) async for part in response])

    return asyncio.run(read()).decode()


@pytest.mark.django_db(transaction=True)
def test_the_list_as_a_file_has_all_its_pages_and_nothing_else(
    browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    etl = make_project("etl")
    failed = [make_job(project=etl, state="failed", name=f"load-{n}") for n in range(7)]
    make_job(project=make_project("secret"), state="failed", name="theirs")
    make_job(project=etl, name="=1+1", labels={"tier": "gold"})
    monkeypatch.setattr(job_export, "AT_ONCE", 3)
    response = browser.get("/jobs/export?q=state:failed")
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert re.search(r'filename="jobs-[\d-]+\.csv"', response["Content-Disposition"])
    rows = list(csv.DictReader(io.StringIO(content(response))))
    assert [int(row["id"]) for row in rows] == [job.pk for job in failed][::-1]
    assert {(row["state"], row["project"], row["exit_code"]) for row in rows} == {
        ("failed", "etl", "3")
    }
    (row,) = csv.DictReader(io.StringIO(content(browser.get("/jobs/export?q=state:pending"))))
    assert (row["name"], row["labels"]) == ("'=1+1", '{"tier": "gold"}')
    oldest = content(browser.get("/jobs/export?format=json&q=load&sort=oldest"))
    found = json.loads(oldest)
    assert [item["name"] for item in found["items"]] == [f"load-{n}" for n in range(7)]
    assert found["complete"] is True
    assert "theirs" not in content(browser.get("/jobs/export"))


def test_a_file_of_what_cannot_be_read_is_refused(browser: Client) -> None:
    for query, words in (("q=state:odd", "no state “odd”"), ("format=xlsx", "use csv or json")):
        response = browser.get(f"/jobs/export?{query}")
        assert response.status_code == 400
        assert words in words_of(response)
