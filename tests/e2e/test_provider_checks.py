"""The acceptance checks of the provider pages in a real browser, each under its number."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from playwright.sync_api import Browser, Page, expect

from jobs.models import Job
from projects.actor import Actor
from projects.notify import LiveChanges, notify_live
from providers.models import EngineRequest, Provider
from tests.support.attempts import make_attempt
from tests.support.builders import make_actor, make_job, make_provider, make_user
from tests.support.figures import tell
from tests.support.sessions import sign_in
from tests.support.web import WebProcess

pytestmark = [pytest.mark.browser, pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def actor() -> Actor:
    return make_actor(make_user("olga", superuser=True), via="web")


@pytest.fixture
def page(web: WebProcess, browser: Browser, actor: Actor) -> Iterator[Page]:
    """The page of an administrator, which may have no error."""
    wrong: list[str] = []
    with browser.new_context(
        viewport={"width": 1280, "height": 900}, base_url=web.url, timezone_id="UTC"
    ) as context:
        key = sign_in(User.objects.get(username=actor.name))
        context.add_cookies([{"name": web.cookie, "value": key, "url": web.url}])
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        yield page
    assert wrong == []


def live(page: Page) -> None:
    expect(page.locator("[data-live-status]")).to_have_text("Live")


def test_check_18_a_drain_says_who_will_wait_and_their_pages_say_so_at_once(page: Page) -> None:
    make_provider("node-1", found_memory_mb=4096)
    node = make_provider("node-2", found_memory_mb=16_384)
    make_attempt(provider=node)
    waiting = make_job(spec={"resources": {"memory_mb": 8192}}, name="large")
    make_job()
    other = page.context.new_page()
    other.goto(f"/jobs/{waiting.pk}")
    live(other)
    row = other.locator("#job-waiting tbody tr").filter(has_text="node-2")
    expect(row).to_contain_text("Has room")

    page.goto(f"/providers/{node.pk}")
    page.get_by_role("link", name="Drain").click()
    told = page.locator("#consequences")
    expect(told).to_contain_text("1 job runs here and may finish.")
    expect(told).to_contain_text("1 waiting job fits only here and will wait:")
    expect(told).to_contain_text("1 other goes elsewhere")
    words = told.locator("li", has_text="fits only here").inner_text().split("“")[1].split("”")[0]
    page.get_by_role("button", name="Drain node-2").click()
    begun = time.monotonic()
    expect(row).to_contain_text("It is draining")
    seconds = time.monotonic() - begun
    expect(other.locator("#job-waiting")).to_contain_text(words)
    expect(page.locator(".badge")).to_have_text("Draining")
    tell("check 18", f"drained by a click, the waiting job's page knew after {seconds:.1f} s (2 s)")


def test_the_consequences_follow_what_happens_while_they_are_read(page: Page) -> None:
    node = make_provider("node-1")
    page.goto(f"/providers/{node.pk}/mode?to=inactive")
    live(page)
    expect(page.locator("#consequences")).to_contain_text("No job waits now.")
    make_job(name="newcomer")
    expect(page.locator("#consequences")).to_contain_text("newcomer", timeout=15_000)
    expect(page.get_by_role("button", name="Deactivate node-1")).to_be_focused()


def answered(request: EngineRequest, status: str, *steps: dict[str, Any]) -> None:
    """What an engine process would write, and its notice."""
    with transaction.atomic():
        EngineRequest.objects.filter(pk=request.pk).update(status=status, steps=list(steps))
        notify_live(LiveChanges(requests={request.pk}))


def test_a_provider_is_added_while_its_test_streams_and_nothing_typed_is_lost(page: Page) -> None:
    page.goto("/providers")
    page.get_by_role("link", name="Add a provider").first.click()
    page.get_by_role("link", name=re.compile("Docker")).click()
    page.get_by_label("Name").fill("node-9")
    page.get_by_label("Address").fill("tcp://node-9:2376")
    page.get_by_role("button", name="Save and test").click()
    page.wait_for_url(re.compile(r"/providers/\d+/setup\?request=\d+"))
    live(page)
    asked = EngineRequest.objects.get()
    card = page.locator(f"#request-{asked.pk}")
    steps = card.locator("li")
    expect(steps).to_have_count(5)
    page.get_by_label("Jobs at once").fill("3")
    page.get_by_label("Labels").press_sequentially("zone=")
    reach = {"name": "reach", "ok": True, "text": "docker 27.3"}
    answered(asked, "working", reach, {"name": "pull", "ok": None, "text": "40 of 64 MB"})
    expect(steps.nth(1)).to_contain_text("docker 27.3")
    expect(steps.nth(2)).to_contain_text("40 of 64 MB")
    expect(page.get_by_label("Labels")).to_be_focused()
    page.keyboard.type("a")
    done = [{"name": n, "ok": True, "text": t} for n, t in (
        ("pull", "hello is there"), ("run", "exit code 0"), ("log", "hello from Gantry"),
    )]  # fmt: skip
    answered(asked, "done", reach, *done)
    expect(steps.nth(4)).to_contain_text("hello from Gantry")
    page.get_by_role("button", name="Save and take jobs").click()
    expect(page.get_by_role("heading", name="node-9")).to_be_visible()
    provider = Provider.objects.get()
    assert (provider.mode, provider.slots, provider.labels) == ("active", 3, {"zone": "a"})


def test_without_javascript_a_provider_is_drained_and_limited(
    web: WebProcess, browser: Browser, actor: Actor
) -> None:
    node = make_provider("node-1")
    make_attempt(provider=node)
    with browser.new_context(base_url=web.url, java_script_enabled=False) as context:
        key = sign_in(User.objects.get(username=actor.name))
        context.add_cookies([{"name": web.cookie, "value": key, "url": web.url}])
        page = context.new_page()
        page.goto(f"/providers/{node.pk}")
        page.get_by_role("link", name="Edit").first.click()
        page.get_by_label("CPU", exact=True).fill("0.5")
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.get_by_role("alert")).to_contain_text("Jobs hold 1 CPU now")
        page.get_by_role("button", name="Save all the same").click()
        expect(page.get_by_text("Saved.")).to_be_visible()
        page.get_by_role("link", name="Drain").click()
        page.get_by_role("button", name="Drain node-1").click()
        expect(page.locator(".badge")).to_have_text("Draining")
    node.refresh_from_db()
    assert (node.cpu_millis, node.mode) == (500, "draining")
    assert Job.objects.get().state == "running"
