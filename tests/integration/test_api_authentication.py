"""Who may call the API at all: tokens, sessions, CSRF."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.models.functions import Now
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from orchestrator.api_urls import urlpatterns
from projects import tokens
from projects.models import ApiToken
from tests.support.builders import bearer, make_project, make_spec, make_token, make_user

pytestmark = pytest.mark.django_db
UNSAFE = ("post", "put", "patch", "delete")


@pytest.fixture
def ada() -> User:
    """A submitter in the default project."""
    return make_user("ada", project=make_project("default"))


def whoami(client: Client, header: str) -> Any:
    return client.get("/api/v1/whoami", HTTP_AUTHORIZATION=header)


def test_whoami_names_the_user_and_the_role_in_each_project(client: Client, ada: User) -> None:
    body = client.get("/api/v1/whoami", **bearer(ada)).json()  # type: ignore[arg-type]
    assert body == {
        "user": "ada",
        "kind": "token",
        "may_operate": False,
        "projects": [{"slug": "default", "name": "Default", "role": "submitter"}],
    }


def test_the_index_leads_to_everything(client: Client, ada: User) -> None:
    body = client.get("/api/v1/", **bearer(ada)).json()  # type: ignore[arg-type]
    for name in ("whoami", "jobs", "providers", "openapi"):
        assert client.get(body[name], **bearer(ada)).status_code == 200  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer ", "Bearer gtr_", "bearer x", "Bearer gtr_" + "0" * 33]
)
def test_a_token_that_is_none_is_refused(client: Client, header: str) -> None:
    response = whoami(client, header)
    assert (response.status_code, response.json()["code"]) == (401, "unauthenticated")
    assert response["WWW-Authenticate"].startswith("Bearer")


def test_a_bad_token_is_refused_even_with_a_good_session(client: Client, ada: User) -> None:
    client.force_login(ada)
    assert client.get("/api/v1/whoami").status_code == 200
    assert whoami(client, "Bearer gtr_wrong").status_code == 401


def test_a_token_ends_with_its_time_its_revocation_and_its_user(client: Client, ada: User) -> None:
    text = make_token(ada)
    token = ApiToken.objects.get(user=ada)

    def status() -> int:
        return int(whoami(client, f"Bearer {text}").status_code)

    assert status() == 200
    ApiToken.objects.filter(pk=token.pk).update(expires_at=Now() - timedelta(seconds=1))
    assert status() == 401
    ApiToken.objects.filter(pk=token.pk).update(expires_at=None, revoked_at=Now())
    assert status() == 401
    ApiToken.objects.filter(pk=token.pk).update(revoked_at=None)
    User.objects.filter(pk=ada.pk).update(is_active=False)
    assert status() == 401


def test_only_the_hash_of_a_token_is_kept(ada: User) -> None:
    token, text = tokens.issue(ada, "ci")
    stored = ApiToken.objects.values().get(pk=token.pk)
    assert re.fullmatch(r"gtr_[0-9A-Za-z]{33}", text)
    assert stored["hint"] == text[-4:]
    assert not any(text in str(value) or text[4:31] in str(value) for value in stored.values())
    assert len(bytes(stored["digest"])) == 32


def test_a_mistyped_token_costs_no_query(
    ada: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    text = make_token(ada)
    swapped = text[:10] + ("a" if text[10] != "a" else "b") + text[11:]
    with django_assert_num_queries(0):
        assert tokens.authenticate(swapped) is None
    assert tokens.authenticate(text) is not None


def test_the_last_use_is_noted_once_a_minute(client: Client, ada: User) -> None:
    text = make_token(ada)
    whoami(client, f"Bearer {text}")
    first = ApiToken.objects.get(user=ada).last_used_at
    whoami(client, f"Bearer {text}")
    assert ApiToken.objects.get(user=ada).last_used_at == first
    long_ago = timezone.now() - timedelta(minutes=2)
    ApiToken.objects.filter(user=ada).update(last_used_at=long_ago)
    whoami(client, f"Bearer {text}")
    latest = ApiToken.objects.get(user=ada).last_used_at
    assert latest is not None
    assert latest > long_ago + timedelta(minutes=1)


def test_nobody_is_sent_to_the_login_page(client: Client) -> None:
    for method in ("get", "post"):
        response = getattr(client, method)("/api/v1/jobs")
        assert (response.status_code, response.json()["code"]) == (401, "unauthenticated")


def test_a_session_may_write_only_with_the_csrf_token(ada: User) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(ada)
    page = browser.get("/api/v1/docs").content.decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert token is not None
    refused = browser.post("/api/v1/jobs", data=make_spec(), content_type="application/json")
    assert (refused.status_code, refused.json()["code"]) == (403, "csrf_failed")
    taken = browser.post(
        "/api/v1/jobs",
        data=make_spec(),
        content_type="application/json",
        HTTP_X_CSRFTOKEN=token[1],
    )
    assert taken.status_code == 201
    assert taken.json()["submitted_by"] == "ada"


def _operations() -> list[str]:
    """Every address of the API with a number for each id, the docs page and catch-all aside."""
    found = [
        str(p.pattern)
        for p in urlpatterns
        if p.name not in ("api-docs", "api-problems", "api-unknown")
    ]
    return sorted({"/api/" + re.sub(r"<(?:int|slug):\w+>", "1", pattern) for pattern in found})


@pytest.mark.parametrize("path", _operations())
@pytest.mark.parametrize("method", UNSAFE)
def test_no_unsafe_request_passes_with_the_cookie_alone(path: str, method: str, ada: User) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(make_user(superuser=True))
    response = getattr(browser, method)(path, data="{}", content_type="application/json")
    assert response.status_code in (403, 405)
    if response.status_code == 403:
        assert response.json()["code"] == "csrf_failed"


def test_the_list_of_unsafe_addresses_is_not_empty() -> None:
    assert len(_operations()) >= 18
