"""Live regions that are known are not made again; one that may have changed always is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.utils import timezone

from jobs import list_page
from jobs.models import Job
from orchestrator import home, views_home
from projects import live_marks, shared_rendering
from projects.hub import hub
from projects.models import Project, Role
from providers.models import Provider
from tests.support.builders import make_job, make_project, make_provider, make_user
from tests.support.pages import signed_in, words_of

pytestmark = pytest.mark.django_db

OF_JOBS = [
    "/_/jobs/rows", "/_/jobs/counts", "/_/queue/head", "/_/queue/rows", "/_/activity",
    "/_/projects", "/_/projects/etl",
    *(f"/_/home/{card.name}" for card in home.CARDS),
]  # fmt: skip
OF_PROVIDERS = [
    "/_/providers", "/_/providers/{provider}", "/_/jobs/{job}/waiting",
    "/_/providers/{provider}/mode?to=draining",
]  # fmt: skip


@pytest.fixture(autouse=True)
def listening(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Changes arrive, and no beat ends meanwhile."""
    monkeypatch.setattr(live_marks, "clock", lambda: 1_000_000_003.0)
    hub.hears(True)
    yield
    hub.hears(False)


@pytest.fixture
def project() -> Project:
    return make_project("etl")


@pytest.fixture
def job(project: Project) -> Job:
    return make_job(project=project)


@pytest.fixture
def provider() -> Provider:
    return make_provider("node-1")


@pytest.fixture
def operator(project: Project) -> User:
    return make_user("ada", project=project, staff=True)


def status(browser: Client, url: str, etag: str) -> int:
    return browser.get(url, headers={"If-None-Match": etag}).status_code


@pytest.mark.parametrize("address", [*OF_JOBS, *OF_PROVIDERS])
def test_a_region_is_made_again_when_its_topic_was_signalled_and_not_before(
    address: str, job: Job, provider: Provider, operator: User
) -> None:
    url = address.format(job=job.pk, provider=provider.pk)
    browser = signed_in(operator)
    first = browser.get(url)
    assert (first.status_code, "ETag" in first) == (200, True)
    assert status(browser, url, first["ETag"]) == 304
    hub.signal({"t": "job", "id": 0, "rev": 1}, ("job", 0), ("jobs", job.project_id + 1))
    hub.signal({"t": "provider", "id": 0, "rev": 1}, ("provider", provider.pk + 1))
    assert status(browser, url, first["ETag"]) == 304
    if address in OF_PROVIDERS:
        message = {"t": "provider", "id": provider.pk, "rev": 2}
        hub.signal(message, ("provider", provider.pk), ("providers", None))
    else:
        message = {"t": "job", "id": job.pk, "rev": 2}
        hub.signal(message, ("job", job.pk), ("jobs", job.project_id), ("jobs", None))
    assert status(browser, url, first["ETag"]) == 200


def test_a_known_region_is_not_even_read(
    project: Project, operator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = signed_in(operator)
    etag = browser.get("/_/jobs/rows")["ETag"]

    def gathered(*_: object) -> None:
        raise AssertionError("it is known")

    monkeypatch.setattr(list_page, "rows", gathered)
    assert status(browser, "/_/jobs/rows", etag) == 304


def test_what_cannot_be_known_is_made_each_time(
    job: Job, operator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = signed_in(operator)
    etag = browser.get("/_/jobs/rows")["ETag"]
    hub.hears(False)
    away = browser.get("/_/jobs/rows", headers={"If-None-Match": etag})
    assert (away.status_code, "ETag" in away) == (200, False)
    hub.hears(True)  # and what was said in between is lost
    assert status(browser, "/_/jobs/rows", etag) == 200


def test_a_lost_signal_costs_a_beat_and_no_more(
    job: Job, operator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = signed_in(operator)
    etag = browser.get("/_/jobs/rows")["ETag"]
    monkeypatch.setattr(live_marks, "clock", lambda: 1_000_000_003.0 + live_marks.BEAT)
    assert status(browser, "/_/jobs/rows", etag) == 200


@pytest.mark.parametrize("projects", [[], [1]])
def test_a_resync_makes_marks_old(job: Job, operator: User, projects: list[int]) -> None:
    browser = signed_in(operator)
    etag = browser.get("/_/jobs/rows")["ETag"]
    hub.resync([job.project_id] if projects else [])
    assert status(browser, "/_/jobs/rows", etag) == 200


def test_one_persons_mark_is_not_that_of_another_with_other_rights(
    job: Job, project: Project, operator: User
) -> None:
    etag = signed_in(operator).get("/_/jobs/rows")["ETag"]
    browser = signed_in(make_user(project=project, role="viewer"))  # type: ignore[arg-type]
    assert status(browser, "/_/jobs/rows", etag) == 200


@pytest.mark.parametrize("address", ["/_/jobs/rows?all", "/_/jobs/counts?all"])
def test_those_with_the_same_rights_are_given_one_rendering(
    address: str, job: Job, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [make_user(name, project=project, role=Role.VIEWER) for name in ("ann", "bea", "cy")]
    browsers = [signed_in(person) for person in people]
    first = browsers[0].get(address).content

    def gathered(*_: object) -> None:
        raise AssertionError("it was made already")

    monkeypatch.setattr(list_page, "rows", gathered)
    monkeypatch.setattr(list_page, "counts", gathered)
    assert [browser.get(address).content for browser in browsers] == [first] * 3


def cards(browser: Client, query: str = "") -> dict[str, str]:
    """What the cards say that are not the person's own."""
    names = [card.name for card in home.CARDS if not card.personal]
    return {name: words_of(browser.get(f"/_/home/{name}{query}")) for name in names}


def test_cards_that_tell_of_nobody_are_made_once_for_those_of_the_same_rights(
    project: Project, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_rendering, "SHARED_SECONDS", 60.0)
    make_job(project=project, state="completed")  # or Home would be of how to begin
    job = make_job(project=project, state="running", started_at=timezone.now())
    ada, bob = (signed_in(make_user(name, project=project, staff=True)) for name in ("ada", "bob"))
    first = cards(ada)
    assert job.name in first["running"]
    assert provider.name in first["capacity"]
    monkeypatch.setattr(home, "day_of", None)
    monkeypatch.setattr(home, "running_now", None)
    page = words_of(bob.get("/"))
    monkeypatch.setattr(home, "loads", None)
    assert cards(bob) == first
    assert all(text in page for text in first.values())


def test_what_is_heard_of_while_a_page_is_made_is_not_held_back_from_its_regions(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_job(project=project, state="completed")
    viewer = signed_in(make_user("ada", project=project))

    def attention_meanwhile(look: home.Look) -> dict[str, object]:
        found = home.attention_card(look)  # has counted what runs
        make_job(project=project, name="new", state="running", started_at=timezone.now())
        hub.signal({"t": "lists"}, ("jobs", project.pk))
        return found

    changed = replace(home.ATTENTION, context=attention_meanwhile)
    monkeypatch.setattr(views_home, "CARDS", (changed, *home.CARDS[1:]))
    viewer.get("/")
    assert re.search(r"1 of 1 .*\bnew\b", cards(viewer)["running"])


def test_cards_are_not_shared_with_other_rights_nor_where_they_are_of_ones_own_jobs(
    project: Project,
) -> None:
    ada, bob = (make_user(name, project=project) for name in ("ada", "bob"))
    job = make_job(project=project, state="running", started_at=timezone.now(), submitted_by=ada)
    stranger = make_user("oto", project=make_project("other"))
    assert job.name in cards(signed_in(ada))["running"]
    assert job.name not in cards(signed_in(stranger))["running"]
    assert job.name in cards(signed_in(ada), "?whose=mine")["running"]
    assert job.name not in cards(signed_in(bob), "?whose=mine")["running"]


def test_nobody_is_given_what_was_made_with_other_rights(project: Project) -> None:
    other = make_project("secret-plans")
    make_job(project=project, name="shared")
    make_job(project=other, name="hidden")
    everything = signed_in(make_user("root", staff=True, superuser=True))
    assert {"shared", "hidden"} <= names(everything)
    submitter = signed_in(make_user("sue", project=project, role=Role.SUBMITTER))
    viewer = signed_in(make_user("vic", project=project, role=Role.VIEWER))
    of_other = signed_in(make_user("oto", project=other, role=Role.SUBMITTER))
    assert (names(submitter), names(viewer), names(of_other)) == (
        {"shared"}, {"shared"}, {"hidden"},
    )  # fmt: skip
    assert "action=cancel" in submitter.get("/_/jobs/rows?all").content.decode()
    assert "action=cancel" not in viewer.get("/_/jobs/rows?all").content.decode()


def names(browser: Client) -> set[str]:
    """The jobs that the list shows."""
    return set(re.findall(r'data-name="([^"]+)"', browser.get("/_/jobs/rows?all").content.decode()))


def test_a_change_that_was_heard_of_is_in_the_next_answer(job: Job, operator: User) -> None:
    browser = signed_in(operator)
    before = browser.get("/_/jobs/rows?all").content.decode()
    Job.objects.filter(pk=job.pk).update(name="renamed")
    assert browser.get("/_/jobs/rows?all").content.decode() == before
    message = {"t": "job", "id": job.pk, "rev": 2}
    hub.signal(message, ("job", job.pk), ("jobs", job.project_id), ("jobs", None))
    assert names(browser) == {"renamed"}


@pytest.mark.django_db(transaction=True)
def test_who_waits_for_a_rendering_holds_no_connection(
    job: Job, operator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = signed_in(operator)
    held: list[bool] = []
    monkeypatch.setattr(
        shared_rendering, "sleep", lambda _: held.append(connection.connection is not None)
    )
    browser.get("/_/jobs/rows?all")
    hub.signal({"t": "lists"}, ("jobs", job.project_id))
    assert browser.get("/_/jobs/rows?all").status_code == 200
    assert held == [False]


def test_times_are_told_in_each_persons_zone(job: Job, operator: User) -> None:
    there, here = signed_in(operator), signed_in(operator)
    there.cookies[settings.ZONE_COOKIE_NAME] = "Asia/Tokyo"
    assert "JST" in there.get("/_/jobs/rows?all").content.decode()
    assert "JST" not in here.get("/_/jobs/rows?all").content.decode()


def test_what_was_acknowledged_elsewhere_does_not_come_back(
    project: Project, operator: User
) -> None:
    make_job(project=project, state="failed", name="nightly")
    browser = signed_in(operator)
    first = browser.get("/_/home/attention")
    assert "nightly" in words_of(first)
    form = {"until": "2999-01-01T00:00:00+00:00", "kind": "failed", "name": "nightly"}
    browser.post("/seen", form | {"project": project.pk})
    again = browser.get("/_/home/attention", headers={"If-None-Match": first["ETag"]})
    assert "nightly" not in words_of(again)


def test_a_card_that_could_not_be_shown_is_tried_again(
    project: Project, operator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = signed_in(operator)

    def broken(*_: object) -> None:
        raise RuntimeError("no")

    with monkeypatch.context() as patch:
        patch.setattr(home, "day_of", broken)
        told = browser.get("/_/home/day")
    assert "This part cannot be shown now" in words_of(told)
    assert "ETag" not in told
