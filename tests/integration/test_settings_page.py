"""A person's own settings: preferences that follow them, tokens that are shown once, a password."""

from __future__ import annotations

import html
import re
from datetime import datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from jobs.services import job_submit
from projects import services, tokens
from projects.actor import SYSTEM
from projects.errors import Forbidden, Invalid
from projects.models import ApiToken, Event, PreferenceRow
from projects.preferences import UNCHOSEN, preferences_chosen, preferences_set
from projects.services import password_changed
from projects.zones import zones_offered
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


@pytest.fixture
def ada() -> User:
    return make_user("ada", project=make_project("etl"))


@pytest.fixture
def browser(ada: User) -> Client:
    return signed_in(ada)


def root_of(response: Any) -> dict[str, str]:
    """The attributes of a page's <html>, before any script has run."""
    found = re.search(r"<html([^>]*)>", response.content.decode())
    assert found is not None
    return dict(re.findall(r'([\w-]+)="([^"]*)"', found[1]))


# preferences


def test_what_was_chosen_is_in_the_first_bytes_of_every_page_of_every_browser(
    ada: User, browser: Client
) -> None:
    assert root_of(browser.get("/jobs"))["data-theme"] == "auto"
    chosen = {"theme": "dark", "density": "compact", "keys": "off", "log_wrap": "on"}
    assert browser.post("/_/preferences", chosen).status_code == 204
    page = signed_in(ada).get("/jobs")
    wanted = {"data-theme": "dark", "data-density": "compact", "data-keys": "off"}
    assert wanted.items() <= root_of(page).items()
    assert '"log_wrap": "on"' in html.unescape(page.content.decode())
    assert root_of(signed_in(make_user("bob")).get("/settings"))["data-theme"] == "auto"


def test_choices_are_kept_one_by_one(ada: User, browser: Client) -> None:
    browser.post("/_/preferences", {"theme": "dark"})
    browser.post("/_/preferences", {"density": "compact"})
    browser.post("/_/preferences", {"theme": "light"})
    assert preferences_chosen(ada.pk) == {"theme": "light", "density": "compact"}


@pytest.mark.parametrize(
    "wrong", [{"theme": "pink"}, {"zone": "Mars/Olympus"}, {"zone": "../../etc/passwd"}]
)
def test_what_is_not_offered_is_refused_and_nothing_is_kept(
    ada: User, browser: Client, wrong: dict[str, str]
) -> None:
    assert browser.post("/_/preferences", {"density": "compact"} | wrong).status_code == 422
    assert "Nothing was saved" in words_of(browser.post("/settings", wrong, follow=True))
    assert not PreferenceRow.objects.exists()


def test_a_choice_that_is_offered_no_more_is_none(ada: User) -> None:
    PreferenceRow.objects.create(user=ada, chosen={"theme": "sepia", "density": "compact", "x": 1})
    assert preferences_chosen(ada.pk) == {"density": "compact"}


def test_only_people_have_preferences_and_a_password_of_their_own() -> None:
    with pytest.raises(Forbidden):
        preferences_set(SYSTEM, {"theme": "dark"})
    with pytest.raises(Forbidden):
        password_changed(SYSTEM)
    with pytest.raises(Invalid):
        preferences_set(SYSTEM, {"colour": "dark"})


def test_without_javascript_the_form_saves_everything_and_comes_back(
    ada: User, browser: Client
) -> None:
    form = dict(UNCHOSEN) | {"theme": "light", "zone": "Asia/Tokyo", "log_time": "since"}
    response = browser.post("/settings", form, follow=True)
    assert "Saved." in words_of(response)
    page = response.content.decode()
    for field in ('value="light"', 'value="since" selected', "selected>Asia/Tokyo"):
        assert field in re.sub(r"\s+", " ", page)
    assert preferences_chosen(ada.pk) == form


def test_the_page_costs_the_same_however_many_zones_there_are() -> None:
    offered = zones_offered()
    assert "Europe/Berlin" in offered["Europe"]
    assert "Etc" not in offered


# time zones


def test_times_are_told_in_the_zone_of_the_browser_and_the_api_stays_in_utc(
    browser: Client, ada: User
) -> None:
    at = datetime.fromisoformat("2026-07-01T22:30:00Z")
    job = make_job(project=make_project("etl"), queued_at=at, created_at=at)
    title = re.compile(r'title="(2026-07-0\d [\d:]+ [^"]+)"')
    url = f"/_/jobs/{job.pk}/facts"
    plain = browser.get(url)
    assert title.findall(plain.content.decode())[0] == "2026-07-01 22:30:00 UTC"
    browser.cookies[settings.ZONE_COOKIE_NAME] = "Europe/Berlin"
    # The tag of the answer in UTC is not that of this one.
    there = browser.get(url, headers={"If-None-Match": plain["ETag"]})
    assert title.findall(there.content.decode())[0] == "2026-07-02 00:30:00 CEST"
    assert browser.get(f"/api/v1/jobs/{job.pk}").json()["created_at"].startswith("2026-07-01T22:30")
    browser.cookies[settings.ZONE_COOKIE_NAME] = "../nonsense"
    assert "2026-07-01 22:30:00 UTC" in browser.get(url).content.decode()


@pytest.mark.parametrize("page", ["/activity", "/jobs/{job}?tab=events", "/providers/{provider}"])
def test_no_page_calls_the_times_of_another_zone_utc(page: str) -> None:
    root = signed_in(make_user("root", superuser=True))
    project = make_project("nightly")
    job, _ = job_submit(
        make_actor(make_user("bob", project=project)), data=make_spec(project="nightly")
    )
    url = page.format(job=job.pk, provider=make_provider().pk)
    assert "UTC" in words_of(root.get(url))
    root.cookies[settings.ZONE_COOKIE_NAME] = "Asia/Tokyo"
    there = root.get(url)
    assert "JST" in there.content.decode()
    assert "UTC" not in words_of(there)


def test_the_chosen_zone_is_there_from_the_first_page_of_a_new_browser(ada: User) -> None:
    preferences_set(make_actor(ada), {"zone": "Asia/Tokyo"})
    other = Client()
    other.post("/login", {"username": "ada", "password": "password"})
    assert other.cookies[settings.ZONE_COOKIE_NAME].value == "Asia/Tokyo"
    saved = other.post("/_/preferences", {"zone": "UTC"})
    assert saved.cookies[settings.ZONE_COOKIE_NAME].value == "UTC"


# tokens


def made(browser: Client, **form: str) -> Any:
    return browser.post("/settings/tokens", {"name": "nightly import", "lifetime": "30"} | form)


def test_a_token_is_shown_once_works_and_is_then_known_by_its_end(
    browser: Client, ada: User
) -> None:
    response = made(browser)
    (text,) = set(re.findall(r"gtr_\w{33}", response.content.decode()))
    assert "no-store" in response["Cache-Control"]
    assert f'curl -fsS -H "Authorization: Bearer {text}"' in html.unescape(
        response.content.decode()
    )
    headers = {"Authorization": f"Bearer {text}"}
    assert Client().get("/api/v1/whoami", headers=headers).json()["user"] == "ada"
    again = words_of(browser.get("/settings"))
    assert text not in again
    assert f"nightly import …{text[-4:]}" in again
    assert re.search(r"Last used \d+ s", again)
    (token,) = ApiToken.objects.all()
    assert token.expires_at is not None
    assert timedelta(days=29) < token.expires_at - timezone.now() < timedelta(days=31)
    event = Event.objects.get(type="token.issued")
    assert (event.actor_id, event.via, event.detail) == (ada.pk, "web", {"name": "nightly import"})


def test_a_token_without_a_name_is_refused_at_its_field_and_nothing_typed_is_lost(
    browser: Client,
) -> None:
    response = made(browser, name=" ", lifetime="365")
    assert response.status_code == 422
    assert "Say what it is for" in words_of(response)
    assert 'value="365" selected' in response.content.decode()
    assert made(browser, name="x" * 81).status_code == 422
    assert made(browser, lifetime="7000").status_code == 422
    assert not ApiToken.objects.exists()


def test_a_token_may_never_expire_and_an_expired_one_says_so(browser: Client, ada: User) -> None:
    made(browser, lifetime="")
    assert ApiToken.objects.get().expires_at is None
    tokens.issue(ada, "old", timezone.now() - timedelta(days=2))
    assert "expired 2 d ago" in words_of(browser.get("/settings"))


def test_nobody_has_more_tokens_than_a_page_shows_and_is_told_what_to_do(
    browser: Client, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "MOST", 2)
    tokens.issue(ada, "old", timezone.now() - timedelta(days=2))
    revoked, _ = tokens.issue(ada, "laptop")
    refused = made(browser)
    assert refused.status_code == 409
    words = words_of(refused)
    assert "ada has 2 tokens, and nobody may have more. Revoke one" in words
    assert 'value="nightly import"' in refused.content.decode()
    assert ApiToken.objects.count() == 2
    with pytest.raises(CommandError, match="nobody may have more"):
        call_command("token", "ada", "--name", "ci", stdout=StringIO())
    browser.post(f"/settings/tokens/{revoked.pk}/revoke")
    assert made(browser).status_code == 200


def test_a_revoked_token_opens_nothing_and_is_listed_no_more(browser: Client, ada: User) -> None:
    token, text = tokens.issue(ada, "laptop")
    response = browser.post(f"/settings/tokens/{token.pk}/revoke", follow=True)
    assert f"laptop (…{text[-4:]}) is revoked" in words_of(response)
    assert "No token yet" in words_of(browser.get("/settings"))
    refused = Client().get("/api/v1/whoami", headers={"Authorization": f"Bearer {text}"})
    assert refused.status_code == 401
    assert browser.post(f"/settings/tokens/{token.pk}/revoke").status_code == 404
    assert Event.objects.get(type="token.revoked").actor_id == ada.pk


def test_nobody_revokes_a_token_of_another_from_their_settings(ada: User) -> None:
    token, _ = tokens.issue(ada, "laptop")
    root = signed_in(make_user("root", superuser=True))
    assert root.post(f"/settings/tokens/{token.pk}/revoke").status_code == 404
    token.refresh_from_db()
    assert token.revoked_at is None


# the password


def changed(browser: Client, **form: str) -> Any:
    new = "a-good-long-one-42"
    fields = {"old_password": "password", "new_password1": new, "new_password2": new}
    return browser.post("/settings/password", fields | form, follow=True)


def test_a_new_password_signs_the_other_browsers_out_and_this_one_stays(
    browser: Client, ada: User
) -> None:
    other = signed_in(ada)
    assert "Your password is changed" in words_of(changed(browser))
    assert browser.get("/jobs").status_code == 200
    assert other.get("/jobs").status_code == 302
    ada.refresh_from_db()
    assert ada.check_password("a-good-long-one-42")
    event = Event.objects.get(type="password.changed")
    assert (event.subject_kind, event.subject_id, event.detail) == ("user", ada.pk, {})


def test_a_password_is_not_changed_without_its_event(
    browser: Client, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("no room for the event")

    monkeypatch.setattr(services, "record", broken)
    with pytest.raises(RuntimeError):
        changed(browser)
    ada.refresh_from_db()
    assert ada.check_password("password")
    assert browser.get("/jobs").status_code == 200


def test_an_operator_sees_who_has_changed_a_password(browser: Client, ada: User) -> None:
    changed(browser)
    operator = signed_in(make_user("op", staff=True))
    for query in ("", "?type=password", f"?subject=user:{ada.pk}"):
        words = words_of(operator.get(f"/activity{query}"))
        assert "ada through these pages Password changed ada" in words, query
    assert "Password changed" not in words_of(signed_in(ada).get("/activity"))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"old_password": "guess"}, "This is not your present password."),
        ({"new_password2": "another"}, "This is not what you wrote above."),
        ({"new_password1": "12345", "new_password2": "12345"}, "too short"),
    ],
)
def test_a_password_that_will_not_do_says_why(
    browser: Client, ada: User, wrong: dict[str, str], words: str
) -> None:
    assert words in words_of(changed(browser, **wrong))
    ada.refresh_from_db()
    assert ada.check_password("password")
