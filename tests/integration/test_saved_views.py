"""Saved views: a person's own lists by name, one of them the default."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.test import Client

from jobs import saved_views
from jobs.models import SavedView
from projects.models import Role
from tests.support.builders import make_job, make_project, make_user
from tests.support.pages import signed_in, words_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada() -> User:
    return make_user("ada", project=make_project("default"), role=Role.VIEWER)


@pytest.fixture
def browser(ada: User) -> Client:
    return signed_in(ada)


def save(browser: Client, name: str, q: str = "", **fields: str) -> str:
    """Saves a view, and says where that led."""
    response = browser.post("/jobs/views", {"name": name, "q": q} | fields)
    assert response.status_code == 302, words_of(response)
    return str(response["Location"])


def tabs(browser: Client, address: str) -> dict[str, tuple[str, bool]]:
    """The tabs of a page: where each leads, and whether it is this page."""
    page = browser.get(address).content.decode()
    nav = re.search(r'<nav class="tabs jobviews".*?</nav>', page, re.S)
    links = re.findall(r'<a href="([^"]+)"\s*([^>]*)>([^<]+)', nav[0]) if nav else []
    return {
        words.strip(): (href.replace("&amp;", "&"), "aria-current" in more)
        for href, more, words in links
    }


def test_a_list_is_saved_and_is_one_tab_away(browser: Client) -> None:
    assert tabs(browser, "/jobs") == {}
    where = save(browser, "  Failed   today ", "since:24h  state:failed")
    assert where == "/jobs?q=since%3A24h+state%3Afailed"
    assert tabs(browser, where) == {
        "All jobs": ("/jobs?all", False),
        "Failed today": (where, True),
    }
    assert tabs(browser, "/jobs")["All jobs"][1]
    ordered = save(browser, "Long", "state:running", sort="longest-running")
    assert ordered == "/jobs?q=state%3Arunning&sort=longest-running"
    assert tabs(browser, ordered)["Long"] == (ordered, True)


def test_the_default_is_what_jobs_opens_with_and_all_are_a_tab_away(browser: Client) -> None:
    make_job(name="good", state="completed")
    save(browser, "Failed", "state:failed", default="1")
    response = browser.get("/jobs")
    assert (response.status_code, response["Location"]) == (302, "/jobs?q=state%3Afailed")
    assert "good" in words_of(browser.get("/jobs?all"))
    assert "good" in words_of(browser.get(tabs(browser, "/jobs?all")["All jobs"][0]))
    save(browser, "Everything", "", default="1")
    assert browser.get("/jobs")["Location"] == "/jobs?all"
    views = {view.name: view.is_default for view in SavedView.objects.all()}
    assert views == {"Failed": False, "Everything": True}


def test_a_link_that_clears_the_filter_leads_to_all_jobs_not_to_the_default(
    browser: Client,
) -> None:
    make_job(state="completed")
    save(browser, "Failed", "state:failed", default="1")
    page = browser.get("/jobs?q=state:failed").content.decode()
    assert re.search(r'class="chip"\s+href="/jobs\?all"', page)
    assert re.search(r'href="/jobs\?all">Clear the filter', page)


def test_saving_under_a_name_that_is_there_changes_that_view(browser: Client) -> None:
    save(browser, "Mine", "state:failed", default="1")
    save(browser, "Mine", "state:running")
    view = SavedView.objects.get()
    assert (view.query, view.is_default) == ("state:running", True)


def test_a_view_is_renamed_made_default_and_deleted(browser: Client) -> None:
    save(browser, "One", "state:failed")
    save(browser, "Two", "by:ada")
    one, two = SavedView.objects.order_by("name")
    browser.post(f"/jobs/views/{one.pk}/rename", {"name": "Broken"})
    browser.post(f"/jobs/views/{two.pk}/default")
    words = words_of(browser.get("/jobs/views"))
    assert "Jobs opens with your default view" in words
    browser.post(f"/jobs/views/{two.pk}/default", {"off": "1"})
    assert browser.get("/jobs").status_code == 200
    response = browser.post(f"/jobs/views/{two.pk}/delete", follow=True)
    assert "Deleted the view “Two”" in words_of(response)
    assert [view.name for view in SavedView.objects.all()] == ["Broken"]


def test_what_cannot_be_saved_is_named_and_what_was_typed_is_kept(browser: Client) -> None:
    form = {"name": "Mine", "q": "state:sleeping", "default": "1"}
    response = browser.post("/jobs/views", form)
    assert response.status_code == 422
    assert "there is no state “sleeping”" in words_of(response)
    page = response.content.decode()
    assert 'value="Mine"' in page
    assert 'value="state:sleeping"' in page
    assert browser.post("/jobs/views", {"name": " ", "q": ""}).status_code == 422
    assert browser.post("/jobs/views", {"name": "x" * 61, "q": ""}).status_code == 422
    unfit = browser.post("/jobs/views", {"name": "x", "q": "", "sort": "queue"})
    assert "add state:pending" in words_of(unfit)
    assert not SavedView.objects.exists()


def test_a_name_is_a_views_only_one(browser: Client) -> None:
    save(browser, "One")
    save(browser, "Two")
    two = SavedView.objects.get(name="Two")
    response = browser.post(f"/jobs/views/{two.pk}/rename", {"name": "One"})
    assert response.status_code == 422
    assert "You have a view named “One” already" in words_of(response)
    assert (
        'value="One"\n' in response.content.decode() or 'value="One"' in response.content.decode()
    )


def test_views_are_their_owners_alone(browser: Client) -> None:
    save(browser, "Mine", "state:failed", default="1")
    view = SavedView.objects.get()
    other = signed_in(make_user("bob", project=make_project("default")))
    assert other.get("/jobs").status_code == 200
    assert "Mine" not in words_of(other.get("/jobs"))
    for action in ("rename", "default", "delete"):
        response = other.post(f"/jobs/views/{view.pk}/{action}", {"name": "Stolen"})
        assert response.status_code == 404, action
    save(other, "Mine", "state:running")
    assert SavedView.objects.get(owner__username="ada").query == "state:failed"


def test_there_are_only_so_many(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saved_views, "MOST", 2)
    save(browser, "One")
    save(browser, "Two")
    response = browser.post("/jobs/views", {"name": "Three", "q": "state:failed"})
    assert "You have 2 views; delete one first" in words_of(response)
    save(browser, "Two", "state:failed")


def test_the_database_holds_one_default_for_each_person(ada: User) -> None:
    SavedView.objects.create(owner=ada, name="One", is_default=True)
    with pytest.raises(IntegrityError), transaction.atomic():
        SavedView.objects.create(owner=ada, name="Two", is_default=True)
    SavedView.objects.create(owner=make_user("bob"), name="One", is_default=True)
