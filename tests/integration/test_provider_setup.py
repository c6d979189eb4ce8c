"""Adding a provider in steps: kind, connection, a test before any job, limits, then jobs."""

from __future__ import annotations

import pytest
from django.test import Client

from providers.models import EngineRequest, Provider
from tests.support.builders import make_provider, make_user
from tests.support.pages import signed_in, words_of

pytestmark = pytest.mark.django_db

CONNECTION = {"name": "node-9", "base_url": "tcp://node-9:2376"}


@pytest.fixture
def operator() -> Client:
    return signed_in(make_user("olga", superuser=True))


def added(operator: Client, **fields: str) -> tuple[Provider, EngineRequest, str]:
    """A provider that was just added, its test, and the page that follows it."""
    response = operator.post("/providers/new?kind=docker", CONNECTION | fields)
    provider = Provider.objects.get(name="node-9")
    return provider, EngineRequest.objects.get(provider=provider, kind="test"), response["Location"]


def test_it_goes_from_its_kind_to_its_test_and_takes_no_job_meanwhile(operator: Client) -> None:
    assert "Docker" in words_of(operator.get("/providers/new"))
    assert "Connection" in words_of(operator.get("/providers/new?kind=docker"))
    provider, asked, page = added(operator, image="busybox:1")
    assert (provider.mode, provider.options) == ("inactive", {"base_url": "tcp://node-9:2376"})
    assert asked.args == {"image": "busybox:1"}
    assert page == f"/providers/{provider.pk}/setup?request={asked.pk}"
    words = words_of(operator.get(page))
    assert "Reach it to come" in words
    assert "Limits" in words


def test_once_the_test_has_passed_one_click_keeps_the_limits_and_takes_jobs(
    operator: Client,
) -> None:
    provider, asked, page = added(operator)
    assert "Save and take jobs" not in words_of(operator.get(page))
    EngineRequest.objects.filter(pk=asked.pk).update(status="done")
    assert "Save and take jobs" in words_of(operator.get(f"/_/requests/{asked.pk}?setup=1"))
    limits = {"slots": "3", "labels": "zone=a", "mount_allow_list": "/data\r\n/scratch:rw"}
    response = operator.post(page, limits | {"mode": "active"})
    assert response["Location"] == f"/providers/{provider.pk}"
    provider.refresh_from_db()
    assert (provider.mode, provider.slots, provider.labels) == ("active", 3, {"zone": "a"})
    assert provider.mount_allow_list == ["/data", "/scratch:rw"]


def test_it_may_be_kept_switched_off_and_be_activated_after_a_later_test(operator: Client) -> None:
    provider, asked, page = added(operator)
    operator.post(page, {"slots": "3", "mode": "inactive"})
    provider.refresh_from_db()
    assert (provider.mode, provider.slots) == ("inactive", 3)
    EngineRequest.objects.filter(pk=asked.pk).update(status="done")
    later = operator.get(f"/providers/{provider.pk}?request={asked.pk}")
    assert "It works: take jobs" in words_of(later)


def test_a_failed_test_says_what_to_do_and_the_way_there_loses_no_limit(operator: Client) -> None:
    provider, asked, page = added(operator)
    EngineRequest.objects.filter(pk=asked.pk).update(
        status="failed",
        steps=[{"name": "reach", "ok": False, "text": "could not reach it: Connection refused"}],
    )
    words = words_of(operator.get(page))
    assert "Reach it failed could not reach it: Connection refused" in words
    assert "nothing listens at that address" in words
    assert "Test again" in words
    response = operator.post(page, {"slots": "5", "then": "edit"})
    assert response["Location"] == f"/providers/{provider.pk}/edit"
    response = operator.post(page, {"slots": "6", "then": "test", "image": "busybox"})
    again = EngineRequest.objects.filter(provider=provider).latest("pk")
    assert again.args == {"image": "busybox"}
    assert response["Location"] == f"/providers/{provider.pk}/setup?request={again.pk}"
    provider.refresh_from_db()
    assert (provider.slots, provider.mode) == (6, "inactive")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": ""}, "This field is required."),
        ({"name": "not a slug"}, "Use 1 to 63 letters"),
        ({"base_url": "ftp://x"}, "Use unix:///path"),
        ({"name": "taken"}, "already a provider named"),
        ({"image": "two words"}, "has no blanks"),
    ],
)
def test_a_wrong_field_keeps_what_was_typed_and_adds_nothing(
    operator: Client, changes: dict[str, str], words: str
) -> None:
    make_provider("taken")
    sent = CONNECTION | {"tls_ca": "/etc/ca.pem"} | changes
    response = operator.post("/providers/new?kind=docker", sent)
    assert response.status_code == 422
    assert words in words_of(response)
    assert "/etc/ca.pem" in response.content.decode()
    assert Provider.objects.count() == 1


def test_a_wrong_limit_keeps_what_was_typed_and_the_test_in_sight(operator: Client) -> None:
    _, asked, page = added(operator)
    response = operator.post(page, {"slots": "0", "labels": "zone=a", "mode": "active"})
    assert response.status_code == 422
    assert "Must be at least 1." in words_of(response)
    assert "zone=a" in response.content.decode()
    assert f"request-{asked.pk}" in response.content.decode()


def test_the_setup_shows_no_test_of_another_provider(operator: Client) -> None:
    provider, asked, _ = added(operator)
    other = make_provider("other")
    page = operator.get(f"/providers/{other.pk}/setup?request={asked.pk}")
    assert "Not tested yet" in words_of(page)
    assert f"request-{asked.pk}" not in page.content.decode()
    assert provider.pk != other.pk
