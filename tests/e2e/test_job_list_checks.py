"""The acceptance checks of the list of jobs in a real browser, each under its number."""

from __future__ import annotations

import gzip
import re
from statistics import median
from urllib.parse import urlsplit

import pytest
from django.db import transaction
from playwright.sync_api import Page, Response, expect

from jobs.models import Job
from jobs.services import job_cancel, job_submit
from projects.actor import Actor
from projects.models import Event
from projects.notify import JobChange, notify_jobs
from tests.support.browsers import Opens
from tests.support.builders import make_job, make_provider, make_spec
from tests.support.figures import p95, tell
from tests.support.waiting import wait_until
from tests.support.web import WebProcess

pytestmark = [pytest.mark.browser, pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

SUBMISSIONS = 20
EVENTS_PER_SECOND = 10
MOST_SCRIPT_KB = 40
_NOTE_STATES = """
  window.seen = {};
  new MutationObserver(() => {
    for (const row of document.querySelectorAll("#job-rows tbody tr")) {
      const key = `${row.id} ${row.querySelector(".status").textContent.trim()}`;
      window.seen[key] ??= performance.timeOrigin + performance.now();
    }
  }).observe(document.body, { childList: true, subtree: true, characterData: true });
"""


@pytest.fixture
def page(opens: Opens) -> Page:
    return opens().new_page()


def live(page: Page, address: str = "/jobs") -> Page:
    """The list, with its socket open."""
    page.goto(address)
    expect(page.locator("[data-live-status]")).to_have_text("Live")
    return page


def names(page: Page) -> list[str]:
    return page.locator("#job-rows .name a").all_inner_texts()


def touch(job: Job) -> None:
    """Tells the browsers that a job has changed."""
    with transaction.atomic():
        notify_jobs([JobChange(job.pk, job.project_id, job.rev)])


def test_check_2_a_submitted_job_is_in_the_list_soon_after_its_commit_and_so_is_its_end(
    page: Page, actor: Actor
) -> None:
    page.add_init_script(f"addEventListener('DOMContentLoaded', () => {{{_NOTE_STATES}}})")
    live(page)
    shown: list[float] = []

    def seen(job: Job, state: str) -> float:
        key = f"job-{job.pk} {state}"
        return float(wait_until(lambda: page.evaluate("(k) => seen[k]", key), 20, f"sees {key}"))

    def now() -> float:
        return float(page.evaluate("performance.timeOrigin + performance.now()"))

    for _ in range(SUBMISSIONS // 2):
        job, _made = job_submit(actor, data=make_spec())
        committed = now()
        shown.append(seen(job, "Pending") - committed)
        job_cancel(actor, job_id=job.pk)
        committed = now()
        shown.append(seen(job, "Cancelled") - committed)
    figures = f"p95 of {SUBMISSIONS}: {p95(shown):.0f} ms, median {median(shown):.0f} ms"
    tell("check 2", f"commit to row, {figures} (wanted: 1,000 ms)")
    assert p95(shown) < 5_000


def test_check_16_back_leads_to_the_same_rows_and_the_address_is_the_list(
    page: Page, opens: Opens
) -> None:
    for n in range(60):
        make_job(name=f"load-{n:02}", state="failed")
        make_job(name=f"lint-{n:02}", state="completed")
    live(page)
    page.get_by_role("searchbox").fill("load")
    page.get_by_role("searchbox").press("Enter")
    page.get_by_role("link", name=re.compile("^Failed")).click()
    expect(page.get_by_role("searchbox")).to_have_value("state:failed load")
    page.get_by_text("Newest first", exact=True).first.click()
    page.get_by_role("link", name="Oldest first").click()
    expect(page.locator("#job-rows .name a").first).to_have_text("load-00")
    page.get_by_role("link", name="Next page").click()
    expect(page.locator("#job-rows tbody tr")).to_have_count(10)
    page.go_back()
    expect(page.locator("#job-rows tbody tr")).to_have_count(50)
    page.evaluate("scrollTo(0, 700)")
    address, rows = page.url, names(page)
    page.locator("#job-rows .name a").nth(22).click()
    page.wait_for_url("**/jobs/*")
    page.go_back()
    assert (page.url, names(page)) == (address, rows)
    page.wait_for_function("scrollY === 700")
    other = opens().new_page()
    other.goto(address)
    assert names(other) == rows


def test_check_16_each_count_is_that_of_the_list_it_leads_to(page: Page) -> None:
    for n in range(9):
        make_job(name=f"load-{n}", state="failed", labels={"debug": "1"} if n % 3 else {})
        make_job(name=f"load-{n}", state="pending" if n % 2 else "running")
        make_job(name=f"lint-{n}", state="completed")
    page.goto("/jobs?q=load+-label:debug")
    chips = page.locator("#job-chips a")
    for n in range(chips.count()):
        chip = chips.nth(n)
        count = int(chip.locator("b").inner_text())
        chip.click()
        expect(page.locator("#job-chips a").nth(n)).to_have_attribute("aria-current", "true")
        assert page.locator("#job-rows tbody tr").count() == count


def mixed(number: int) -> None:
    """That many jobs named so that the same filter finds them, in every state."""
    states = ("pending", "pending", "running", "completed", "failed")
    for n in range(number):
        make_job(name=f"nightly-{n}", state=states[n % len(states)])


def test_check_17_all_31_matching_are_cancelled_after_a_preview_with_an_exact_result(
    page: Page, actor: Actor
) -> None:
    mixed(31)
    bystander = make_job(name="other")
    live(page, "/jobs?q=nightly")
    page.locator("#job-rows [data-page]").check()
    bar = page.get_by_role("form", name="Selection")
    expect(bar.get_by_text("31 selected")).to_be_visible()
    bar.get_by_label("all 31 matching").check()
    bar.get_by_role("button", name="Cancel", exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading", name="Cancel 19 jobs?")).to_be_visible()
    expect(dialog).to_contain_text("13 pending")
    expect(dialog).to_contain_text("6 running")
    expect(dialog).to_contain_text("Left out of 31")
    expect(dialog).to_contain_text("12 had already finished")
    dialog.get_by_role("button", name="Cancel 19 jobs").click()
    expect(page.locator("[data-said]")).to_have_text(
        "13 cancelled, 6 are being stopped, 12 had already finished. Show the jobs"
    )
    expect(dialog).to_be_hidden()
    expect(page.locator("#job-rows").get_by_text("Cancelled")).to_have_count(13)
    assert page.locator("#job-rows tbody input:checked").count() == 0
    events = Event.objects.filter(type__in=["job.cancelled", "job.cancel_requested"])
    assert events.filter(actor_id=actor.id, via="web").count() == events.count() == 19
    bystander.refresh_from_db()
    assert bystander.state == "pending"
    page.get_by_role("link", name="Show the jobs").click()
    expect(page.locator("#job-rows tbody tr")).to_have_count(19)


def test_check_17_the_same_without_javascript(opens: Opens) -> None:
    mixed(5)
    page = opens(java_script_enabled=False).new_page()
    page.goto("/jobs?q=nightly")
    for box in page.locator("#job-rows tbody input").all():
        box.check()
    page.get_by_role("form", name="Selection").get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("heading", name="Cancel 3 jobs?")).to_be_visible()
    page.get_by_role("button", name="Cancel 3 jobs").click()
    expect(page.get_by_text("2 cancelled, 1 is being stopped, 2 had already")).to_be_visible()
    expect(page).to_have_url(re.compile(r"/jobs\?q=nightly$"))


def test_whoever_was_signed_out_meanwhile_is_led_to_the_login_by_a_dialog(
    page: Page, web: WebProcess
) -> None:
    mixed(5)
    live(page, "/jobs?q=nightly")
    page.locator("#job-rows [data-page]").check()
    bar = page.get_by_role("form", name="Selection")
    bar.get_by_role("button", name="Cancel", exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Cancel 3 jobs?")
    page.context.clear_cookies(name=web.cookie)
    dialog.get_by_role("button", name="Cancel 3 jobs").click()
    expect(dialog.get_by_role("alert")).to_have_text(
        "You are signed out; what was done is done. Sign in, then do it again for the rest."
    )
    dialog.get_by_role("link", name="Keep them").click()
    bar.get_by_role("button", name="Cancel", exact=True).click()
    said = page.locator("[data-said]")
    expect(said).to_contain_text("You are signed out, so nothing was done.")
    said.get_by_role("link", name="Sign in").click()
    expect(page).to_have_url(re.compile(r"/login\?next=%2Fjobs%3Fq%3Dnightly$"))
    assert not Job.objects.filter(cancel_requested_at__isnull=False).exists()


PROGRESS = """(dialog) => {
  window.progress = [];
  new MutationObserver(() => {
    const bar = dialog.querySelector("progress");
    if (!bar) return;
    const told = [dialog.querySelector("h2"), dialog.querySelector("progress + p")];
    const [heading, far] = told.map((el) => el.textContent.trim());
    window.progress.push(`${heading}, ${bar.value}/${bar.max}, ${far}`);
  }).observe(dialog, { childList: true });
}"""


def test_check_17_many_batches_go_on_by_themselves_and_tell_how_far_they_are(page: Page) -> None:
    for n in range(60):
        make_job(name=f"nightly-{n}", state="failed")
    live(page, "/jobs?q=nightly+state:failed")
    page.locator("#job-rows tbody input").first.check()
    bar = page.get_by_role("form", name="Selection")
    bar.get_by_label("all 60 matching").check()
    bar.get_by_role("button", name="Run again").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("They are done 25 at a time while this page is open.")
    dialog.evaluate(PROGRESS)
    page.get_by_role("button", name="Run 60 again").click()
    expect(page.locator("[data-said]")).to_have_text(
        "60 submitted again. Show the new jobs", timeout=60_000
    )
    assert page.evaluate("window.progress") == [
        "Submitting again: 25 of 60, 25/60, So far: 25 submitted again. Show the new jobs",
        "Submitting again: 50 of 60, 50/60, So far: 50 submitted again. Show the new jobs",
    ]
    assert Job.objects.filter(rerun_of__isnull=False).count() == 60


def test_keys_go_through_the_rows_select_them_and_reach_their_actions(page: Page) -> None:
    jobs = [make_job(name=f"job-{n}") for n in range(4)][::-1]
    live(page)
    for key in "jj":
        page.keyboard.press(key)
    expect(page.get_by_role("link", name=jobs[1].name, exact=True)).to_be_focused()
    page.keyboard.press("x")
    page.keyboard.press("k")
    page.keyboard.press("x")
    expect(page.get_by_text("2 selected")).to_be_visible()
    page.keyboard.press(".")
    menu = page.get_by_role("menu", name=f"Actions for {jobs[0].name}")
    expect(menu.get_by_role("menuitem", name="Open")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(menu.get_by_role("menuitem", name="Cancel")).to_be_focused()
    page.keyboard.press("Enter")
    expect(menu).to_be_hidden()
    expect(page.get_by_role("dialog")).to_contain_text("Cancel 1 job?")
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name=jobs[0].name, exact=True)).to_be_focused()
    page.keyboard.press(".")
    page.keyboard.press("Escape")
    expect(menu).to_be_hidden()
    expect(page.get_by_role("link", name=jobs[0].name, exact=True)).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_text("2 selected")).to_be_hidden()
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/jobs/{jobs[1].pk}")


MENU_AS_A_DIALOG_CLOSES = """() => new Promise((done) => {
    const dialog = document.querySelector(".bulkdialog");
    const row = document.querySelector("#job-rows tbody tr");
    dialog.addEventListener("close", done);
    dialog.close();
    Gantry.openRowMenu(row, row.querySelector(".name a"));
})"""
"""Browsers tell of a dialog's close a moment later; a quick hand has gone on by then."""


def test_a_menu_that_is_opened_as_the_dialog_closes_keeps_the_focus(page: Page) -> None:
    job = make_job(name="nightly")
    live(page)
    for key in ("j", "x"):
        page.keyboard.press(key)
    page.get_by_role("form", name="Selection").get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("dialog")).to_contain_text("Cancel 1 job?")
    page.evaluate(MENU_AS_A_DIALOG_CLOSES)
    menu = page.get_by_role("menu", name=f"Actions for {job.name}")
    expect(menu.get_by_role("menuitem", name="Open")).to_be_focused()
    page.keyboard.press("Escape")
    expect(menu).to_be_hidden()


def test_an_open_menu_no_longer_offers_what_the_job_has_outlived(page: Page, actor: Actor) -> None:
    job, _ = job_submit(actor, data=make_spec(name="nightly"))
    live(page)
    for key in "j.":
        page.keyboard.press(key)
    menu = page.get_by_role("menu")
    cancel = menu.get_by_role("menuitem", name="Cancel")
    place = cancel.bounding_box()
    expect(cancel).to_be_enabled()
    job_cancel(actor, job_id=job.pk)
    expect(page.locator(f"#job-{job.pk}")).to_contain_text("Cancelled")
    expect(cancel).to_be_disabled()
    assert cancel.bounding_box() == place, "what is under the pointer is still that"
    cancel.click(force=True)
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert page.url.endswith("/jobs")


def test_focus_and_selection_outlive_changes_and_new_jobs_wait_behind_a_pill(
    page: Page, actor: Actor
) -> None:
    jobs = [job_submit(actor, data=make_spec(name=f"load-{n}"))[0] for n in range(5)]
    live(page, "/jobs?q=load")
    for key in "jjjx":
        page.keyboard.press(key)
    focused = page.get_by_role("link", name=jobs[2].name, exact=True)
    expect(focused).to_be_focused()
    top = page.locator(f"#job-{jobs[2].pk}").bounding_box()
    for n in range(3):
        job_submit(actor, data=make_spec(name=f"load-new-{n}"))
    job_cancel(actor, job_id=jobs[2].pk)
    expect(page.locator("[data-arrived]")).to_have_text("3 new jobs", timeout=20_000)
    expect(page.locator(f"#job-{jobs[2].pk}")).to_contain_text("Cancelled", timeout=20_000)
    expect(focused).to_be_focused()
    assert page.locator(f"#job-{jobs[2].pk}").bounding_box() == top
    expect(page.locator("#job-rows tbody input:checked")).to_have_count(1)
    page.locator("[data-arrived]").click()
    expect(page.locator("#job-rows tbody tr")).to_have_count(8)
    expect(page.locator("#job-rows tbody input:checked")).to_have_value(str(jobs[2].pk))


def test_focus_goes_to_the_next_row_when_its_job_leaves_the_list(page: Page, actor: Actor) -> None:
    jobs = [job_submit(actor, data=make_spec(name=f"load-{n}"))[0] for n in range(3)][::-1]
    live(page, "/jobs?q=state:pending")
    for key in "jj":
        page.keyboard.press(key)
    job_cancel(actor, job_id=jobs[1].pk)
    expect(page.locator("#job-rows tbody tr")).to_have_count(2, timeout=20_000)
    expect(page.get_by_role("link", name=jobs[2].name, exact=True)).to_be_focused()


def disturbed(page: Page, actor: Actor, *, seconds: int) -> None:
    """For that long somebody types, with a row selected and a menu open, while jobs change
    and come; nothing of it may be lost."""
    jobs = [make_job(name=f"load-{n}", provider=make_provider()) for n in range(10)]
    live(page)
    page.locator("#job-rows tbody input").nth(3).check()
    chosen = page.locator("#job-rows tbody input:checked").input_value()
    page.get_by_text("What to write").click()
    box = page.get_by_role("searchbox")
    box.focus()
    typed = ""
    for n in range(EVENTS_PER_SECOND * seconds):
        touch(jobs[n % len(jobs)])
        if n % EVENTS_PER_SECOND == 0:
            job_submit(actor, data=make_spec(name=f"new-{n}"))
        letter = "abcdefghij"[n % 10]
        page.keyboard.type(letter, delay=1000 // EVENTS_PER_SECOND)
        typed += letter
    expect(page.locator("[data-arrived]")).to_have_text(f"{seconds} new jobs", timeout=20_000)
    assert box.input_value() == typed
    expect(box).to_be_focused()
    expect(page.get_by_text("Its state")).to_be_visible()
    expect(page.locator("#job-rows tbody input:checked")).to_have_value(chosen)
    changes = len(typed)
    tell("check 26", f"{changes} letters typed in {seconds} s of {changes} changes: none lost")


def test_check_26_typing_a_selection_and_an_open_menu_hold_during_heavy_events(
    page: Page, actor: Actor
) -> None:
    disturbed(page, actor, seconds=6)


@pytest.mark.ui_long
def test_check_26_they_hold_for_a_whole_minute(page: Page, actor: Actor) -> None:
    disturbed(page, actor, seconds=60)


def test_check_28_the_scripts_of_the_list_are_light_and_come_from_here(
    page: Page, web: WebProcess
) -> None:
    scripts: dict[str, int] = {}
    hosts: set[str] = set()

    def note(response: Response) -> None:
        hosts.add(urlsplit(response.url).netloc)
        if response.url.endswith(".js"):
            scripts[response.url] = len(gzip.compress(response.body()))

    page.on("response", note)
    page.goto("/jobs", wait_until="networkidle")
    total = sum(scripts.values()) / 1000
    tell("check 28", f"{total:.1f} KB of script, compressed (wanted: {MOST_SCRIPT_KB} KB)")
    assert total <= MOST_SCRIPT_KB
    assert hosts == {urlsplit(web.url).netloc}


def test_a_view_is_saved_by_keys_and_is_then_what_jobs_opens_with(page: Page) -> None:
    make_job(name="good", state="completed")
    make_job(name="bad", state="failed")
    page.goto("/jobs?q=state:failed")
    page.keyboard.press("v")
    expect(page.get_by_label("Name", exact=True)).to_be_focused()
    page.keyboard.type("Broken")
    page.get_by_label("Open Jobs with it").press("Space")
    page.get_by_label("Name", exact=True).press("Enter")
    tabs = page.get_by_role("navigation", name="Saved views")
    expect(tabs.get_by_role("link", name="Broken")).to_have_attribute("aria-current", "true")
    page.goto("/jobs")
    assert names(page) == ["bad"]
    tabs.get_by_role("link", name="All jobs").click()
    expect(page.locator("#job-rows .name a")).to_have_count(2)


_NOTE_DIMMED = """
  const list = document.getElementById("job-rows");
  new MutationObserver(() => {
    if (!list.hasAttribute("data-loading")) return;
    const rows = list.querySelectorAll("tbody tr").length;
    sessionStorage.setItem("dimmed", `${list.ariaBusy} ${rows}`);
  }).observe(list, { attributes: true });
"""


def test_while_a_filter_loads_the_old_rows_are_dimmed_and_no_empty_state_is_shown(
    page: Page,
) -> None:
    for name in ("load", "lint"):
        make_job(name=name)
    live(page)
    page.evaluate(f"() => {{{_NOTE_DIMMED}}}")
    page.get_by_role("searchbox").fill("load")
    page.keyboard.press("Enter")
    page.wait_for_url("**/jobs?q=load")
    assert page.evaluate("sessionStorage.getItem('dimmed')") == "true 2"
    expect(page.locator("#job-rows")).to_have_attribute("aria-busy", "false")
    assert names(page) == ["load"]
