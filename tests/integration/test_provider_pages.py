"""The pages of providers: what they have left, what is wrong, adding one."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from jobs.models import Attempt, StatPage
from jobs.stat_pages import Reading, pack, page_of
from projects.actor import SYSTEM
from projects.events import Happening, record
from providers.models import EngineRequest, HealthSample, Mode
from providers.readings import health_strips
from tests.support.attempts import make_attempt
from tests.support.builders import make_job, make_project, make_provider, make_user
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
    assert "1 reserved" in words
    assert "512 MiB reserved" in words


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


def measured(attempt: Attempt, cpu_millis: int, memory_bytes: int, *, ago: float = 3) -> None:
    """A reading of this attempt."""
    reading = Reading(timezone.now() - timedelta(seconds=ago), cpu_millis, memory_bytes)
    page = page_of(reading.at)
    StatPage.objects.create(attempt=attempt, page=page, body=pack(reading))


def test_what_programs_use_is_told_beside_what_they_reserve(operator: Client) -> None:
    provider = make_provider("node-1")
    for _ in range(2):
        measured(make_attempt(provider=provider), 250, 100 * 2**20)
    measured(make_attempt(provider=provider), 999, 2**30, ago=600)
    words = words_of(operator.get(f"/providers/{provider.pk}"))
    assert "0.5 used, 3 reserved" in words
    assert "200 MiB used, 1.5 GiB reserved" in words
    assert "0.25 of 1" in words
    assert "100 of 512 MiB" in words
    assert "0.5 used, 3 reserved" in words_of(operator.get("/providers"))


def test_what_ended_there_and_what_waits_for_it_is_told(operator: Client) -> None:
    provider = make_provider("node-1", found_memory_mb=4096)
    over = make_attempt(provider=provider, phase="ended", reason="exit_code")
    Attempt.objects.filter(pk=over.pk).update(outcome="failed", reason_detail={"exit_code": 3})
    make_job()
    make_job(spec={"resources": {"memory_mb": 8192}})
    words = words_of(operator.get(f"/providers/{provider.pk}"))
    assert "The program exited with code 3." in words
    assert "1 fits into what is free here now" in words
    assert "1 is larger than all of it" in words


def test_room_is_no_promise_to_what_waits_for_something_else(operator: Client) -> None:
    provider = make_provider("node-1")
    page = f"/providers/{provider.pk}"
    for reason in ("project_limit", "key_limit", "paused"):
        make_job(reason=reason)
    make_job(not_before=timezone.now() + timedelta(minutes=5), attempt=1)
    words = words_of(operator.get(page))
    assert "4 fit into what is free here, and wait for something else: a limit, or their" in words
    assert "free here now" not in words
    assert "Nothing was placed here yet. Jobs that fit wait for something else" in words
    for _ in range(2):
        make_job()
    words = words_of(operator.get(page))
    assert "2 fit into what is free here now, each by itself" in words
    assert "4 fit into what is free here, and wait for something else" in words
    assert "Nothing was placed here yet. Jobs that fit are waiting" in words


def test_one_on_which_nothing_was_placed_yet_says_why(operator: Client) -> None:
    for columns, why in (
        ({}, "No job waits. The next one that fits may come here."),
        ({"mode": "inactive"}, "It is switched off: activate it, and it takes jobs."),
        ({"health": "unreachable", "unreachable_since": timezone.now()}, "It does not answer"),
    ):
        provider = make_provider(**columns)
        words = words_of(operator.get(f"/providers/{provider.pk}"))
        assert f"Nothing was placed here yet. {why}" in words


def test_the_newest_events_and_outages_are_shown_however_many_there_were(
    operator: Client,
) -> None:
    provider = make_provider("node-1")
    changes = [("healthy", "unreachable"), ("unreachable", "healthy")] * 150
    record(
        [
            Happening(
                "provider", provider.pk, "provider.health",
                source=a, target=b, detail={"message": f"reset {n}"},
            )
            for n, (a, b) in enumerate(changes)
        ],
        SYSTEM,
    )  # fmt: skip
    words = words_of(operator.get(f"/providers/{provider.pk}"))
    assert "reset 298" in words
    assert "reset 0" not in words


def test_the_last_day_of_load_is_drawn_against_the_limit(operator: Client) -> None:
    provider = make_provider("node-1")
    assert "over 24 h" not in words_of(operator.get(f"/providers/{provider.pk}"))
    HealthSample.objects.create(
        provider=provider, health="healthy", used_cpu_millis=4000, measured_cpu_millis=1000
    )
    page = operator.get(f"/providers/{provider.pk}")
    assert "CPU over 24 hours: at most 4 reserved of 8" in page.content.decode()


def test_a_list_of_many_is_narrowed_and_counts_equal_what_they_lead_to(operator: Client) -> None:
    for number in range(9):
        make_provider(f"node-{number}", labels={"zone": "ab"[number % 2]})
    make_provider("gone", health="unreachable", unreachable_since=timezone.now())
    make_provider("off", mode="inactive")
    words = words_of(operator.get("/providers"))
    counts = (("All", "", 11), ("Take new jobs", "taking", 9), ("Want a look", "look", 1),
              ("Take nothing new", "off", 2))  # fmt: skip
    for word, name, count in counts:
        assert f"{word} {count}" in words
        page = operator.get(f"/providers?show={name}").content.decode()
        assert page.count('<tr id="provider-') == count
    page = operator.get("/providers?q=zone=b&sort=cpu").content.decode()
    assert page.count('<tr id="provider-') == 4
    assert "/_/providers?q=zone%3Db&amp;sort=cpu" in page
    assert "No provider matches" in words_of(operator.get("/providers?q=nowhere"))
    assert operator.get("/providers?show=sideways&sort=zzz&q=%00").status_code == 200


def test_the_fullest_measure_orders_the_list(operator: Client) -> None:
    make_provider("a-small", found_cpu_millis=1000)
    make_provider("b-large", found_cpu_millis=64_000)
    page = operator.get("/providers?sort=cpu").content.decode()
    assert page.index("b-large") < page.index("a-small")
    page = operator.get("/providers").content.decode()
    assert page.index("a-small") < page.index("b-large")


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
            {"name": "pull", "ok": False, "text": "no such image <i>x</i>"},
        ],
        result={"message": "no such image"},
    )
    fragment = operator.get(f"/_/requests/{asked.pk}")
    words = words_of(fragment)
    assert "Reach it done it answers" in words
    assert "Read its version done docker 27.3" in words
    assert "Have the image there failed no such image <i>x</i>" in words
    assert "Name an image that this engine can have" in words
    assert "Read its output not tried" in words
    steps = fragment.content.decode().partition('class="checks"')[2]
    assert ["s-completed" in steps, "s-failed" in steps, "s-cancelled" in steps] == [True] * 3


def test_a_request_that_nobody_answers_says_so(operator: Client) -> None:
    provider = make_provider("node-1")
    operator.post(f"/providers/{provider.pk}/test")
    EngineRequest.objects.update(created_at=timezone.now() - timedelta(seconds=6))
    words = words_of(operator.get(f"/_/requests/{EngineRequest.objects.get().pk}"))
    assert "No engine process is running." in words


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
    urls = (
        "/providers",
        f"/providers/{first.pk}",
        "/_/providers",
        f"/providers/{first.pk}/mode?to=draining",
    )
    make_job()
    few = [queries(url) for url in urls]
    for number in range(12):
        make_attempt(provider=first)
        make_attempt(provider=make_provider())
        make_job(spec={"resources": {"memory_mb": 600 + number}})
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
    shown = {47 - n: bar for n, bar in enumerate(strip.bars) if bar != "no"}
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
