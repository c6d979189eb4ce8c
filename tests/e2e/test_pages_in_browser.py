"""The pages in a real browser: themes, phone, keyboard, and changes live."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, Route, expect

from jobs.models import Job
from jobs.services import job_cancel, job_submit
from projects.actor import Actor
from providers.models import Mode, Provider
from providers.services import provider_set_mode
from tests.support.attempts import make_attempt
from tests.support.browsers import Opens, width_in
from tests.support.builders import make_job, make_provider, make_spec

pytestmark = [pytest.mark.browser, pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def provider() -> Provider:
    return make_provider("node-1", slots=4, facts={"system": "Linux " + "x" * 90})


@pytest.fixture
def jobs(provider: Provider) -> list[Job]:
    """One job of each state, the names as long and unbreakable as they may be."""
    long = "a-very-long-name-without-any-blank" * 3
    made = [make_job(state=state, name=long, provider=provider) for state in ("running", "failed")]
    made += [make_job(reason="no_capacity", reason_detail={"need": "n" * 80, "best": "b" * 60})]
    make_attempt(job=made[0], provider=provider)
    return made


def addresses(provider: Provider, jobs: list[Job]) -> list[str]:
    return [
        "/",
        "/jobs",
        "/jobs?state=failed&q=zzz",
        "/jobs/new",
        *(f"/jobs/{job.pk}" for job in jobs),
        f"/jobs/{jobs[0].pk}?tab=events",
        f"/jobs/{jobs[0].pk}?tab=spec",
        "/queue",
        "/activity?who=all",
        "/providers",
        f"/providers/{provider.pk}",
        f"/providers/{provider.pk}/edit",
        f"/providers/{provider.pk}/setup",
        f"/providers/{provider.pk}/mode?to=draining",
        "/providers/new",
        "/providers/new?kind=docker",
        "/settings",
        "/settings/password",
        "/nowhere",
    ]


def test_the_watch_on_the_content_policy_sees_a_breach(opens: Opens) -> None:
    page = opens().new_page()
    page.goto("/providers/new")
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<p style=\"color:red\">x</p>')")
    page.wait_for_function("window.refused.length > 0")


def test_no_page_scrolls_sideways(opens: Opens, provider: Provider, jobs: list[Job]) -> None:
    page = opens().new_page()
    for address in addresses(provider, jobs):
        page.set_viewport_size({"width": 375, "height": 812})
        page.goto(address)
        for width, height in ((375, 812), (900, 700), (1000, 700), (2560, 1440)):
            wide = width_in(page, width, height)
            assert wide <= width, f"{address} at {width} px is {wide} px wide"


def test_the_measure_sees_what_scrolls_sideways(opens: Opens) -> None:
    page = opens(width=375, height=812).new_page()
    page.goto("/settings")
    page.evaluate("document.body.append('x'.repeat(99))")
    assert width_in(page, 375, 812) > 375
    assert width_in(page, 2560, 1440) == 2560


def test_on_a_phone_the_pages_are_reached_from_the_bar_at_the_bottom(opens: Opens) -> None:
    page = opens(width=375, height=812).new_page()
    page.goto("/jobs")
    bar = page.get_by_role("navigation", name="Pages, phone")
    bar.get_by_role("link", name="Home").click()
    expect(bar.get_by_role("link", name="Home")).to_have_attribute("aria-current", "page")
    bar.get_by_text("More").click()
    bar.get_by_role("link", name="Providers").click()
    expect(page.get_by_role("heading", name="Providers", exact=True)).to_be_visible()
    box = bar.bounding_box()
    assert box is not None
    assert box["y"] + box["height"] == 812


def test_the_theme_follows_the_system_until_it_is_chosen_and_is_then_kept(opens: Opens) -> None:
    def background(page: Page) -> str:
        return str(page.evaluate("getComputedStyle(document.documentElement).backgroundColor"))

    page = opens(color_scheme="dark").new_page()
    page.goto("/jobs")
    assert background(page) == "rgb(14, 17, 22)"
    page.get_by_role("button", name="Light").click()
    assert background(page) == "rgb(255, 255, 255)"
    expect(page.get_by_role("button", name="Light")).to_have_attribute("aria-pressed", "true")
    page.goto("/providers")
    assert background(page) == "rgb(255, 255, 255)"
    page.goto("/admin/")
    assert page.evaluate("document.documentElement.dataset.theme") == "light"


def test_without_javascript_a_job_is_submitted_seen_and_cancelled(opens: Opens) -> None:
    page = opens(java_script_enabled=False).new_page()
    page.goto("/jobs/new")
    page.get_by_label("Name", exact=True).fill("by hand")
    page.get_by_label("Image", exact=True).fill("sample:1")
    page.get_by_label("Script", exact=True).fill("echo one")
    page.get_by_role("button", name="One more variable").click()
    assert page.locator("[name=env_name]").count() == 2
    page.get_by_label("Name of variable 2").fill("DATE")
    page.get_by_label("Value of variable 2").fill("today")
    page.get_by_role("button", name="Run and follow the log").click()
    expect(page.get_by_role("heading", name="by hand")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator(".badge")).to_have_text("Cancelled")
    job = Job.objects.get()
    assert (job.spec["script"], job.spec["env"]) == ("echo one", {"DATE": "today"})


def test_the_command_switch_shows_the_field_that_counts(opens: Opens) -> None:
    page = opens().new_page()
    page.goto("/jobs/new")
    expect(page.get_by_label("Script", exact=True)).to_be_visible()
    page.get_by_text("Command", exact=True).click()
    expect(page.get_by_label("Script", exact=True)).to_be_hidden()
    expect(page.get_by_label("Arguments", exact=True)).to_be_visible()
    page.get_by_role("button", name="Medium").click()
    assert page.locator("[name=cpu_cores]").input_value() == "2"
    assert page.locator("[name=memory_unit]").input_value() == "1024"


def test_keys_reach_the_filter_and_the_new_job(opens: Opens) -> None:
    page = opens().new_page()
    page.goto("/jobs")
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("n")
    assert page.get_by_role("searchbox").input_value() == "n"
    page.get_by_role("searchbox").blur()
    page.keyboard.press("n")
    page.wait_for_url("**/jobs/new")


def test_a_new_job_and_its_end_come_into_the_list_by_themselves(opens: Opens, actor: Actor) -> None:
    page = opens().new_page()
    page.goto("/jobs?q=nightly")
    expect(page.locator("[data-live-status]")).to_have_text("Live")
    page.get_by_role("searchbox").fill("half a wo")
    job, _ = job_submit(actor, data=make_spec(name="nightly-load"))
    row = page.locator(f"#job-{job.pk}")
    expect(row).to_contain_text("Pending", timeout=10_000)
    job_cancel(actor, job_id=job.pk)
    expect(row).to_contain_text("Cancelled", timeout=10_000)
    expect(page.get_by_role("link", name=re.compile("Cancelled 1"))).to_be_visible()
    assert page.get_by_role("searchbox").input_value() == "half a wo"


SOONER = """
  const ms = Object.getOwnPropertyDescriptor(XMLHttpRequest.prototype, "timeout");
  Object.defineProperty(XMLHttpRequest.prototype, "timeout", {
    get: ms.get, set(value) { ms.set.call(this, value / 20); },
  });
"""


def test_a_fetch_that_nobody_answers_is_told_and_made_again(opens: Opens, actor: Actor) -> None:
    """Its connection is lost without a word, as those of a laptop that changes its network."""
    page = opens().new_page()
    page.add_init_script(SOONER)
    page.goto("/jobs")
    expect(page.locator("[data-live-status]")).to_have_text("Live")
    lost: list[Route] = []
    page.route("**/_/jobs/rows*", lambda route: lost.append(route))
    job, _ = job_submit(actor, data=make_spec(name="nightly-load"))
    note = page.locator("#job-rows .wrong-here")
    expect(note).to_contain_text("The server does not answer.")
    page.unroute("**/_/jobs/rows*")
    expect(page.locator(f"#job-{job.pk}")).to_be_visible()
    expect(note).to_have_count(0)
    assert lost


def test_the_page_of_a_job_follows_its_state_with_title_and_buttons(
    opens: Opens, actor: Actor
) -> None:
    job, _ = job_submit(actor, data=make_spec(name="nightly-load"))
    page = opens().new_page()
    page.goto(f"/jobs/{job.pk}?tab=events")
    expect(page.locator("[data-live-status]")).to_have_text("Live")
    job_cancel(actor, job_id=job.pk)
    expect(page.locator(".badge")).to_have_text("Cancelled", timeout=10_000)
    expect(page).to_have_title(re.compile(r"nightly-load, cancelled, by ada"))
    expect(page.get_by_role("button", name="Rerun R")).to_be_visible()
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0)
    expect(page.locator("#job-events")).to_contain_text("Cancelled")


def test_the_page_of_a_provider_follows_its_mode(
    opens: Opens, actor: Actor, provider: Provider
) -> None:
    page = opens().new_page()
    page.goto(f"/providers/{provider.pk}")
    expect(page.locator("[data-live-status]")).to_have_text("Live")
    provider_set_mode(actor, provider.pk, Mode.DRAINING)
    expect(page.locator(".badge")).to_have_text("Draining", timeout=10_000)
    expect(page.get_by_role("link", name="Activate", exact=True)).to_be_visible()


def test_clocks_go_on_without_any_request(opens: Opens) -> None:
    job = make_job()
    page = opens().new_page()
    page.goto(f"/jobs/{job.pk}", wait_until="networkidle")
    clock = page.locator("time[data-sense=since]").first
    before = clock.inner_text()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    expect(clock).not_to_have_text(before, timeout=5_000)
    assert not asked
