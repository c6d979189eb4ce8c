"""The pages of providers: what they have left, what is wrong, adding one."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from providers.models import EngineRequest, HealthSample, Mode, Provider
from providers.readings import health_strips
from tests.support.attempts import make_attempt
from tests.support.builders import make_project, make_provider, make_user
from tests.support.pages import signed_in, words_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator() -> Client:
    return signed_in(make_user("olga", superuser=True))


def test_what_is_free_is_the_total_less_what_live_attempts_were_given(operator: Client) -> None:
    provider = make_provider("node-1", slots=4)
    make_attempt(provider=provider)
    make_attempt(provider=provider, phase="ended")
    words = words_of(operator.get("/providers"))
    assert "7 of 8" in words
    assert "15.5 of 16 GiB" in words
    assert "3 of 4" in words
    words = words_of(operator.get(f"/providers/{provider.pk}"))
    assert "1 given to jobs" in words
    assert "512 MiB given to jobs" in words


def test_an_unreachable_provider_shows_its_error_and_stale_numbers(operator: Client) -> None:
    provider = make_provider(
        "node-1",
        health="unreachable",
        last_error="TLS <b>handshake</b> failed",
        unreachable_since=timezone.now() - timedelta(minutes=3),
    )
    page = operator.get(f"/providers/{provider.pk}")
    assert "has not answered for 3 min" in words_of(page)
    assert "TLS <b>handshake</b> failed" in words_of(page)
    assert 'data-stale="true"' in page.content.decode()
    assert "1 does not answer" in words_of(operator.get("/providers"))


def test_modes_are_changed_by_buttons(operator: Client) -> None:
    provider = make_provider("node-1")
    for mode in ("draining", "inactive", "active"):
        response = operator.post(f"/providers/{provider.pk}/mode", {"mode": mode})
        assert response["Location"] == f"/providers/{provider.pk}"
        provider.refresh_from_db()
        assert provider.mode == mode
    operator.post(f"/providers/{provider.pk}/mode", {"mode": "sideways"})
    provider.refresh_from_db()
    assert provider.mode == Mode.ACTIVE


def test_a_test_is_followed_on_the_page(operator: Client) -> None:
    provider = make_provider("node-1")
    response = operator.post(f"/providers/{provider.pk}/test")
    asked = EngineRequest.objects.get()
    assert response["Location"] == f"/providers/{provider.pk}?request={asked.pk}"
    page = operator.get(response["Location"])
    assert f'data-live="request:{asked.pk}"' in page.content.decode()
    assert "Waiting for an engine process." in words_of(page)
    EngineRequest.objects.filter(pk=asked.pk).update(
        status="failed",
        steps=[
            {"name": "reach", "ok": True, "text": "docker 27.3"},
            {"name": "pull", "ok": False, "text": "<i>no</i> such image"},
            {"name": "run", "ok": None, "text": "under way"},
        ],
        result={"message": "no such image"},
    )
    fragment = operator.get(f"/_/requests/{asked.pk}")
    assert "Reach it and read its version docker 27.3" in words_of(fragment)
    assert "<i>no</i> such image" in words_of(fragment)
    steps = fragment.content.decode().partition('class="checks"')[2]
    assert ["s-completed" in steps, "s-failed" in steps, "s-running" in steps] == [True] * 3


def test_a_request_that_nobody_answers_says_so(operator: Client) -> None:
    provider = make_provider("node-1")
    operator.post(f"/providers/{provider.pk}/test")
    EngineRequest.objects.update(created_at=timezone.now() - timedelta(seconds=6))
    words = words_of(operator.get(f"/_/requests/{EngineRequest.objects.get().pk}"))
    assert "No engine process is running." in words


def test_adding_one_goes_from_its_kind_to_its_test(operator: Client) -> None:
    assert "Docker" in words_of(operator.get("/providers/new"))
    assert "Connection" in words_of(operator.get("/providers/new?kind=docker"))
    response = operator.post(
        "/providers/new?kind=docker",
        {
            "name": "node-9",
            "base_url": "tcp://node-9:2376",
            "cpu_cores": "6.5",
            "memory_gib": "24",
            "slots": "",
            "labels": "zone=a",
            "mount_allow_list": "/data\r\n/scratch:rw",
            "active": "on",
        },
    )
    provider = Provider.objects.get(name="node-9")
    assert (provider.cpu_millis, provider.memory_mb, provider.slots) == (6500, 24_576, None)
    assert provider.options == {"base_url": "tcp://node-9:2376"}
    assert provider.mount_allow_list == ["/data", "/scratch:rw"]
    assert provider.labels == {"zone": "a"}
    asked = EngineRequest.objects.get(provider=provider, kind="test")
    assert response["Location"] == f"/providers/{provider.pk}?request={asked.pk}"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": ""}, "This field is required."),
        ({"name": "not a slug"}, "Use 1 to 63 letters"),
        ({"base_url": "ftp://x"}, "Use unix:///path"),
        ({"slots": "0"}, "Must be at least 1."),
        ({"name": "taken"}, "already a provider named"),
    ],
)
def test_a_wrong_field_keeps_what_was_typed(
    operator: Client, changes: dict[str, str], words: str
) -> None:
    make_provider("taken")
    sent = {"name": "node-9", "tls_ca": "/etc/ca.pem", "labels": "", "mount_allow_list": ""}
    response = operator.post("/providers/new?kind=docker", sent | changes)
    assert response.status_code == 422
    assert words in words_of(response)
    assert "/etc/ca.pem" in response.content.decode()
    assert Provider.objects.count() == 1


def test_without_any_provider_the_list_offers_the_first_step(operator: Client) -> None:
    page = operator.get("/providers")
    assert "No provider yet" in words_of(page)
    assert "/providers/new" in page.content.decode()


def test_the_number_of_queries_does_not_grow_with_the_providers(operator: Client) -> None:
    def queries(url: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            operator.get(url)
        return len(captured)

    first = make_provider()
    urls = ("/providers", f"/providers/{first.pk}", "/_/providers")
    few = [queries(url) for url in urls]
    for _ in range(12):
        make_attempt(provider=first)
        make_attempt(provider=make_provider())
    assert [queries(url) for url in urls] == few


def test_the_health_strip_shows_the_worst_of_each_half_hour() -> None:
    provider = make_provider()
    now = timezone.now()
    for minutes, health in (
        (5, "healthy"),
        (6, "unreachable"),
        (100, "degraded"),
        (700, "healthy"),
    ):
        HealthSample.objects.create(
            provider=provider, at=now - timedelta(minutes=minutes), health=health
        )
    strip = health_strips([provider.pk])[provider.pk]
    shown = {47 - n: bar.kind for n, bar in enumerate(strip.bars) if bar.kind != "no"}
    assert shown == {0: "bad", 3: "wa", 23: "ok"}
    assert strip.answered == 0.75


def test_a_registry_login_is_kept_listed_without_its_password_and_forgotten(
    operator: Client,
) -> None:
    provider = make_provider("node-1", kind="docker")
    url = f"/providers/{provider.pk}"
    login = {"registry": "ghcr.io", "username": "bot", "password": "hush-hush"}
    operator.post(f"{url}/logins", login)
    page = operator.get(url)
    assert "ghcr.io" in words_of(page)
    assert "hush-hush" not in page.content.decode()
    kept = provider.credentials.get()
    assert b"hush-hush" not in bytes(kept.secret)
    operator.post(f"{url}/logins/{kept.pk}/delete")
    assert not provider.credentials.exists()


def test_a_wrong_registry_login_is_refused_in_words(operator: Client) -> None:
    provider = make_provider("node-1", kind="docker")
    login = {"registry": "https://ghcr.io/x", "username": "bot", "password": "hush"}
    response = operator.post(f"/providers/{provider.pk}/logins", login, follow=True)
    assert "Not kept." in words_of(response)
    assert not provider.credentials.exists()


def test_logins_are_for_operators(operator: Client) -> None:
    provider = make_provider("node-1", kind="docker")
    operator.post(
        f"/providers/{provider.pk}/logins",
        {"registry": "ghcr.io", "username": "bot", "password": "hush"},
    )
    member = signed_in(make_user(project=make_project("etl")))
    page = member.get(f"/providers/{provider.pk}")
    assert "ghcr.io" not in page.content.decode()
    assert member.post(f"/providers/{provider.pk}/logins", {}).status_code == 403
    kept = provider.credentials.get()
    assert member.post(f"/providers/{provider.pk}/logins/{kept.pk}/delete").status_code == 403


def test_a_provider_that_nobody_looks_at_is_not_called_healthy(operator: Client) -> None:
    seen = timezone.now() - timedelta(minutes=5)
    provider = make_provider("node-1", probed_at=seen)
    words = words_of(operator.get(f"/providers/{provider.pk}"))
    assert "Not watched" in words
    assert "no engine process has looked at it for 5 min" in words
    assert "Healthy" not in words
    assert "0 take new jobs" in words_of(operator.get("/providers"))
    provider.probed_at = timezone.now()
    provider.save()
    assert "Healthy" in words_of(operator.get(f"/providers/{provider.pk}"))
