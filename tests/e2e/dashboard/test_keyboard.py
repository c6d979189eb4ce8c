"""The keyboard, the palette and the sheet of keys: check 21 and what goes with it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page, Route, expect

from jobs.models import Attempt, Job
from projects.actor import Actor
from projects.models import Project
from tests.e2e.dashboard.seen import DARK, background, saved, touch
from tests.support.builders import make_job, make_provider, make_user
from tests.support.sessions import sign_in
from tests.support.web import WebProcess

pytestmark = [pytest.mark.browser, pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

_FOCUS = """() => {
  const el = document.activeElement;
  const name = el.outerHTML.slice(0, 80);
  if (el === document.body || !el.getClientRects().length) return `lost: ${name}`;
  const shown = [el, el.closest("label"), el.closest("tr"), el.closest(".palettefield")];
  const outlined = (one) => one && getComputedStyle(one).outlineStyle !== "none";
  return shown.some(outlined) || el.matches("[role=combobox]") ? "seen" : `not seen: ${name}`;
}"""


def focus_is_seen(page: Page) -> None:
    assert page.evaluate(_FOCUS) == "seen"


def test_check_21_from_the_palette_to_a_job_its_log_a_search_a_rerun_and_back_by_keys_alone(
    page: Page, failed: Attempt
) -> None:
    make_job(name="lint", state="completed")
    page.goto("/jobs")
    page.keyboard.press("Control+k")
    field = page.get_by_role("combobox", name="Search or jump to")
    expect(field).to_be_focused()
    focus_is_seen(page)
    page.keyboard.type("orders")
    option = page.get_by_role("option", name=re.compile("orders-daily-load"))
    expect(option).to_be_visible()
    while option.get_attribute("aria-selected") != "true":
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/jobs/{failed.job_id}*")
    expect(page.locator("[data-live-status]")).to_have_text("Live")

    page.keyboard.press("/")
    search = page.get_by_role("searchbox", name="Search the whole log")
    expect(search).to_be_focused()
    focus_is_seen(page)
    page.keyboard.type("no such table")
    expect(page.locator("[data-log-matches]")).to_contain_text("1 match")
    page.keyboard.press("Tab")
    focus_is_seen(page)

    page.keyboard.press("Shift+Tab")
    page.locator("[data-key=r]").focus()
    before = page.locator("#job-header").get_attribute("data-rev")
    touch(Job.objects.get(pk=failed.job_id))
    expect(page.locator("#job-header")).not_to_have_attribute("data-rev", before or "")
    expect(page.get_by_role("button", name="Rerun R")).to_be_focused()
    page.locator("[data-log-lines]").focus()
    page.keyboard.press("r")
    expect(page.get_by_role("button", name="Rerun R")).to_be_focused()
    focus_is_seen(page)
    assert Job.objects.filter(rerun_of=failed.job_id).count() == 0, "one stray key makes no job"
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(rf"/jobs/(?!{failed.job_id}\b)\d+$"))
    expect(page.get_by_role("heading", name="orders-daily-load")).to_be_visible()
    page.go_back()
    expect(page).to_have_url(re.compile(rf"/jobs/{failed.job_id}"))
    for _ in range(12):
        page.keyboard.press("Tab")
        focus_is_seen(page)


def test_check_21_a_stray_key_sends_nothing_and_leaves_no_log(page: Page, failed: Attempt) -> None:
    page.goto(f"/jobs/{failed.job_id}")
    page.locator("[data-log-lines]").focus()
    page.keyboard.press("n")
    expect(page.locator("[data-log-status]")).to_have_text("Nothing is searched for yet: press /")
    assert page.url.endswith(f"/jobs/{failed.job_id}")
    project = failed.job.project
    Project.objects.filter(pk=project.pk).update(paused_at=timezone.now(), paused_by="ada")
    page.goto(f"/projects/{project.slug}")
    page.keyboard.press("p")
    expect(page.get_by_role("button", name="Resume P")).to_be_focused()
    project.refresh_from_db()
    assert project.paused_at is not None
    page.keyboard.press("Enter")
    expect(page.get_by_text("is resumed")).to_be_visible()


def test_check_21_the_focus_stays_when_a_change_takes_its_button_away(page: Page) -> None:
    job = make_job(name="nightly", state="running")
    page.goto(f"/jobs/{job.pk}")
    expect(page.locator("[data-live-status]")).to_have_text("Live")
    page.keyboard.press("c")
    expect(page.get_by_role("button", name="Cancel C")).to_be_focused()
    ended = {"state": "completed", "reason": "succeeded", "finished_at": timezone.now()}
    Job.objects.filter(pk=job.pk).update(**ended)
    touch(Job.objects.get(pk=job.pk))
    expect(page.get_by_role("button", name="Cancel C")).to_have_count(0)
    expect(page.locator("#job-header")).to_be_focused()
    page.keyboard.press("Enter")
    assert Job.objects.count() == 1, "Enter pressed nothing else"


def test_check_21_the_sheet_lists_the_keys_of_every_page_and_of_this_one(page: Page) -> None:
    make_job(name="lint", state="completed")
    page.goto("/jobs")
    page.keyboard.press("?")
    sheet = page.get_by_role("dialog", name="Shortcuts")
    expect(sheet).to_be_visible()
    for words in ("search or jump to", "G J Jobs", "G S Settings", "N New job", "J K", "/ Filter"):
        kept = re.sub(r"\s+", " ", " ".join(sheet.locator("dl > div").all_text_contents()))
        assert words.replace(" ", "") in kept.replace(" ", ""), (words, kept)
    focus_is_seen(page)
    page.keyboard.press("Escape")
    expect(sheet).to_be_hidden()
    page.keyboard.press("g")
    page.keyboard.press("s")
    page.wait_for_url("**/settings")


def test_check_21_a_setting_switches_the_keys_of_one_letter_off(page: Page, actor: Actor) -> None:
    make_job(name="lint", state="completed")
    page.goto("/settings")
    page.get_by_role("radiogroup", name="Keys of one letter").get_by_text("Off").click()
    saved(actor, "keys", "off")
    page.goto("/jobs")
    for key in ("n", "j", "/", "?", "g", "p"):
        page.keyboard.press(key)
    assert page.url.endswith("/jobs")
    assert page.evaluate("document.activeElement === document.body")
    expect(page.locator("dialog[open]")).to_have_count(0)
    expect(page.locator("[data-key=n] kbd")).to_be_hidden()
    page.keyboard.press("Control+k")
    expect(page.get_by_role("combobox")).to_be_focused()
    page.keyboard.press("Escape")


def test_keys_do_nothing_while_somebody_types(page: Page) -> None:
    page.goto("/jobs/new")
    name = page.get_by_label("Name", exact=True)
    name.fill("")
    page.keyboard.type("gj?n/")
    assert name.input_value() == "gj?n/"
    page.keyboard.press("Control+k")
    expect(page.get_by_role("combobox", name="Search or jump to")).to_be_focused()
    page.keyboard.press("Escape")
    expect(name).to_be_focused()
    assert name.input_value() == "gj?n/"


# the palette


def test_the_palette_lists_at_once_what_the_page_knows_and_adds_what_the_server_finds(
    page: Page, actor: Actor, web: WebProcess
) -> None:
    jobs = [make_job(name=f"nightly-{n}", state="failed") for n in range(3)]
    make_provider("node-nightly")
    page.goto("/providers")
    held: list[Any] = []
    page.route("**/_/palette?*", lambda route: held.append(route))
    page.get_by_role("button", name="Search or jump to").click()
    expect(page.get_by_role("combobox", name="Search or jump to")).to_be_focused()
    options = page.get_by_role("option")
    with page.expect_request(re.compile("/_/palette")):
        page.keyboard.type("nigh")
    expect(options).to_have_text(["All jobs with “nigh”"])
    with page.expect_request(re.compile("/_/palette.*nightly-2")):
        page.keyboard.type("tly-2")
    expect(options).to_have_text(["All jobs with “nightly-2”"])
    held[-1].continue_()
    expect(options).to_have_count(2)
    expect(options.first).to_contain_text(f"nightly-2 failed{jobs[2].pk} · default")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowUp")
    expect(options.last).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/jobs/{jobs[2].pk}")
    page.goto("/jobs")
    page.keyboard.press("Control+k")
    recent = page.get_by_role("group", name="Recent")
    expect(recent.get_by_role("option")).to_contain_text("nightly-2")
    key = sign_in(make_user("bob", superuser=True))  # in the place of one who never signed out
    page.context.add_cookies([{"name": web.cookie, "value": key, "url": web.url}])
    page.goto("/jobs")
    page.keyboard.press("Control+k")
    expect(page.get_by_role("group", name="Go to")).to_be_visible()
    expect(recent).to_have_count(0)


def test_the_palette_does_what_buttons_do_and_gives_the_focus_back(
    page: Page, actor: Actor
) -> None:
    make_job(name="lint", state="completed")
    page.goto("/jobs")
    chip = page.locator("#job-chips a").nth(2)
    chip.focus()
    page.keyboard.press("Control+k")
    expect(page.get_by_role("combobox", name="Search or jump to")).to_be_focused()
    page.keyboard.press("Escape")
    expect(chip).to_be_focused()
    page.keyboard.press("Control+k")
    page.keyboard.type("dark")
    page.keyboard.press("Enter")
    assert background(page) == DARK
    saved(actor, "theme", "dark")
    page.keyboard.press("Control+k")
    page.keyboard.type("sign out")
    page.keyboard.press("Enter")
    page.wait_for_url("**/login*")
    assert (
        page.evaluate("Object.keys(localStorage).filter((key) => key.startsWith('recent'))") == []
    )


def test_what_is_typed_and_chosen_before_the_palette_has_come_is_done_there(page: Page) -> None:
    make_job(name="lint", state="completed")
    held: list[Route] = []
    page.route("**/palette*.js", lambda route: held.append(route))
    page.goto("/jobs")
    page.locator("#job-chips a").nth(2).focus()
    with page.expect_request("**/palette*.js"):
        page.keyboard.press("Control+k")
    page.keyboard.type("dark")
    page.keyboard.press("Enter")
    held.pop().continue_()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(page).to_have_url(re.compile("/jobs$"))


def test_the_palette_says_when_the_server_cannot_be_asked(page: Page) -> None:
    page.goto("/jobs")
    page.route("**/_/palette?*", lambda route: route.fulfill(status=503))
    page.keyboard.press("Control+k")
    page.keyboard.type("jobs")
    expect(page.get_by_text("The server cannot be asked now")).to_be_visible()
    expect(page.get_by_role("option").first).to_contain_text("Jobs")
