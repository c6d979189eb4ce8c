"""The home page in a real browser: what changes is shown without a reload."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect

from jobs.services import job_cancel, job_submit
from projects.actor import Actor
from projects.notify import JobChange, LiveChanges, notify_jobs, notify_live
from providers.models import HealthState
from tests.support.builders import (
    make_actor,
    make_job,
    make_project,
    make_provider,
    make_spec,
    make_user,
)
from tests.support.sessions import sign_in
from tests.support.web import WebProcess

pytestmark = [pytest.mark.browser, pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def actor() -> Actor:
    make_project("default")
    return make_actor(make_user("ada", superuser=True), via="web")


@pytest.fixture
def page(web: WebProcess, browser: Browser, actor: Actor) -> Iterator[Page]:
    """The home page of somebody whose jobs have run before; it may have no error."""
    wrong: list[str] = []
    with browser.new_context(viewport={"width": 1440, "height": 1000}, base_url=web.url) as context:
        key = sign_in(User.objects.get(username=actor.name))
        context.add_cookies([{"name": web.cookie, "value": key, "url": web.url}])
        page = context.new_page()
        page.on("console", lambda m: wrong.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        yield page
    assert wrong == []


def test_home_follows_what_happens_and_what_is_acknowledged_goes_without_a_reload(
    page: Page, actor: Actor
) -> None:
    provider = make_provider("node-1")
    make_job(state="completed", name="before")
    page.goto("/")
    expect(page.locator("[data-live-status]")).to_have_text("Live")
    page.evaluate("window.same = true")
    title = page.get_by_role("heading", level=1)
    expect(title).to_have_text("Nothing needs you")

    job, _ = job_submit(actor, data=make_spec(name="nightly"))
    expect(page.locator("#home-head")).to_contain_text("1 waits")
    expect(page.locator("#home-mine")).to_contain_text("nightly")
    job_cancel(actor, job_id=job.pk)
    expect(page.locator("#home-mine")).to_contain_text(re.compile("Cancelled"))
    expect(page.locator("#home-head")).to_contain_text("none waits")
    expect(page.locator("#home-day")).to_contain_text(re.compile(r"1\s*cancelled"))

    failed = make_job(state="failed", name="broken", provider=provider)
    with transaction.atomic():
        notify_jobs([JobChange(failed.pk, failed.rev, failed.project_id, ended=True)])
    expect(title).to_have_text("1 thing needs you")
    provider.health = HealthState.UNREACHABLE
    provider.unreachable_since = timezone.now() - timedelta(minutes=3)
    provider.save()
    with transaction.atomic():
        notify_live(LiveChanges(providers={provider.pk: provider.rev + 1}))
    expect(title).to_have_text("2 things need you")
    expect(page.locator("#home-capacity")).to_contain_text("not seen for 3 min")

    page.get_by_role("button", name="Acknowledge broken").click()
    expect(title).to_have_text("1 thing needs you")
    expect(page.locator("#home-attention")).not_to_contain_text("broken")
    assert page.evaluate("window.same"), "the page was not loaded anew"
