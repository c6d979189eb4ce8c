"""Settings that follow a person, signing out, and the theme from the first paint on: the
acceptance checks of the frame of every page, each under its number."""

from __future__ import annotations

import base64
import re
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from jobs.models import Attempt
from projects.actor import Actor
from projects.models import ApiToken
from projects.preferences import preferences_chosen, preferences_set
from tests.e2e.dashboard.seen import DARK, LIGHT, background, root, saved, touch
from tests.support.attempts import make_attempt
from tests.support.browsers import Opens
from tests.support.builders import make_job
from tests.support.figures import tell
from tests.support.web import WebProcess

pytestmark = [pytest.mark.browser, pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

WATCHED_MS = 6_000


def test_check_11_choices_survive_a_reload_and_a_new_session_in_another_browser(
    opens: Opens, actor: Actor, failed: Attempt
) -> None:
    page = opens(timezone_id="Europe/Berlin").new_page()
    page.goto("/settings")
    page.get_by_text("Compact", exact=True).click()
    expect(page.locator("html")).to_have_attribute("data-density", "compact")
    page.get_by_label("Time zone").select_option("Asia/Tokyo")
    expect(page.locator("[data-saved]")).to_have_text("Saved.")
    page.goto(f"/jobs/{failed.job_id}")
    page.locator("[data-log-pref=time]").select_option("local")
    page.locator("[data-log-pref=wrap]").check(force=True)
    saved(actor, "log_wrap", "on")

    other = opens(timezone_id="Europe/Berlin").new_page()
    other.goto("/jobs")
    assert root(other)["density"] == "compact"
    other.goto(f"/jobs/{failed.job_id}")
    expect(other.locator("#log")).to_have_attribute("data-wrap", "on")
    expect(other.locator("#L1 > time")).to_have_text("17:00:00.000")  # 08:00 UTC
    age = other.locator("#job-facts time[title]").first
    expect(age).to_have_attribute("title", re.compile(r" JST$"))
    tell("check 11", f"kept by the server: {preferences_chosen(actor.id or 0)}")


def test_a_page_of_what_broke_leaves_the_chosen_zone_alone(opens: Opens, actor: Actor) -> None:
    preferences_set(actor, {"zone": "Asia/Tokyo"})
    page = opens(timezone_id="Europe/Berlin").new_page()
    page.goto("/jobs")
    cookies = {one["name"]: one["value"] for one in page.context.cookies()}
    assert root(page)["zone"] == "Asia/Tokyo"
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE projects_apitoken RENAME TO away")
    try:
        page.goto("/settings")
        expect(page.get_by_role("heading")).to_have_text("Something broke on our side")
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE away RENAME TO projects_apitoken")
    assert root(page)["zone"] == "Asia/Tokyo"
    assert {one["name"]: one["value"] for one in page.context.cookies()} == cookies


def test_check_11_what_cannot_be_sent_now_is_remembered_and_sent_by_a_later_page(
    opens: Opens, actor: Actor
) -> None:
    context = opens()
    page = context.new_page()
    page.goto("/settings")
    page.route("**/_/preferences", lambda route: route.abort())
    page.get_by_text("Compact", exact=True).click()
    expect(page.locator("[data-saved]")).to_contain_text("tells it later")
    page.unroute("**/_/preferences")
    page.goto("/jobs")
    assert root(page)["density"] == "compact"
    saved(actor, "density", "compact")


def test_a_token_is_made_shown_once_with_its_command_and_revoked_in_two_steps(
    page: Page, web: WebProcess
) -> None:
    page.goto("/settings")
    page.get_by_label("What it is for").fill("laptop")
    page.get_by_role("button", name="Make a token").click()
    made = page.locator("[data-made]")
    expect(page.locator("#new-token")).to_be_focused()
    text = page.locator("#token-text").inner_text()
    assert f'curl -fsS -H "Authorization: Bearer {text}" {web.url}/api/v1/whoami' in (
        made.inner_text()
    )
    page.reload()
    expect(made).to_have_count(0)
    assert ApiToken.objects.count() == 1
    page.locator("summary", has_text="Revoke").click()
    page.get_by_role("button", name="Revoke “laptop”").click()
    expect(page.get_by_text("No token yet")).to_be_visible()


def test_settings_work_without_javascript(opens: Opens, actor: Actor) -> None:
    page = opens(java_script_enabled=False, color_scheme="light").new_page()
    page.goto("/settings")
    page.locator("[name=theme][value=dark]").check(force=True)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    assert background(page) == DARK
    saved(actor, "theme", "dark")


# signing out


def count_attempts(page: Page) -> list[str]:
    """Every request and socket from now on."""
    seen: list[str] = []
    page.on("request", lambda request: seen.append(request.url))
    page.on("websocket", lambda socket: seen.append(socket.url))
    return seen


def watch_for_a_while(page: Page) -> None:
    """Lets the page's clocks go on, and shakes it awake as a browser does."""
    page.evaluate("for (const t of ['online', 'offline', 'online']) dispatchEvent(new Event(t))")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    start = page.evaluate("performance.now()")
    page.wait_for_function("(t) => performance.now() > t", arg=start + WATCHED_MS)


def test_check_15_signing_out_in_one_tab_ends_the_live_data_of_the_other(
    opens: Opens, failed: Attempt
) -> None:
    running = make_job(name="nightly", state="running")
    make_attempt(job=running, provider=running.provider)
    context = opens()
    first, second = context.new_page(), context.new_page()
    second.goto(f"/jobs/{running.pk}")
    expect(second.locator("[data-live-status]")).to_have_text("Live")
    first.goto("/jobs")
    first.get_by_role("button", name="Sign out").click()
    first.wait_for_url("**/login*")
    expect(second.locator("[data-live-status]")).to_have_text("Signed out")
    expect(second.locator("#live-banner")).to_contain_text("You are signed out")
    expect(second.locator("[data-log-status]")).to_contain_text("Signed out")
    seen = count_attempts(second)
    watch_for_a_while(second)
    tell("check 15", f"{len(seen)} attempts in {WATCHED_MS / 1000:.0f} s after it (wanted: 3)")
    assert len(seen) <= 3, seen
    second.get_by_role("link", name="Sign in").click()
    expect(second.get_by_text(f"You will go on to /jobs/{running.pk}")).to_be_visible()


def test_a_button_pressed_after_the_session_ended_leaves_the_page_and_is_told_not_done(
    page: Page, actor: Actor
) -> None:
    job = make_job(name="nightly", state="pending", held=True, reason="held")
    page.goto("/queue")
    page.wait_for_load_state("networkidle")
    Session.objects.all().delete()
    page.get_by_role("button", name=f"Release nightly {job.pk}").click()
    expect(page.locator("#live-banner")).to_contain_text("You are signed out")
    expect(page.get_by_role("heading", name="Sign in")).to_have_count(0)
    page.get_by_role("link", name="Sign in").click()
    page.get_by_label("Name").fill(actor.name)
    page.get_by_label("Password").fill("password")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/queue")
    expect(page.locator(".notes")).to_contain_text("that was not done")


@pytest.mark.ui_long
def test_check_15_a_session_that_ends_elsewhere_ends_the_live_data_within_a_minute(
    page: Page,
) -> None:
    page.goto("/jobs")
    expect(page.locator("[data-live-status]")).to_have_text("Live")
    page.wait_for_load_state("networkidle")  # so that no fetch of before is what tells it
    begun = page.evaluate("performance.now()")
    Session.objects.all().delete()
    expect(page.locator("[data-live-status]")).to_have_text("Signed out", timeout=62_000)
    seconds = (page.evaluate("performance.now()") - begun) / 1000
    seen = count_attempts(page)
    watch_for_a_while(page)
    tell("check 15", f"told after {seconds:.0f} s (wanted: 60 s), then {len(seen)} attempts")
    assert seconds <= 60.5
    assert len(seen) <= 3


# the theme


def brightest(reader: Page, frames: list[str]) -> float:
    """The mean brightness (0 to 255) of the brightest of some pictures."""
    script = """async (frames) => {
      let most = 0;
      for (const data of frames) {
        const image = new Image();
        image.src = `data:image/jpeg;base64,${data}`;
        await image.decode();
        const canvas = new OffscreenCanvas(32, 32).getContext("2d");
        canvas.drawImage(image, 0, 0, 32, 32);
        const pixels = canvas.getImageData(0, 0, 32, 32).data;
        let sum = 0;
        for (let i = 0; i < pixels.length; i += 1) if (i % 4 < 3) sum += pixels[i];
        most = Math.max(most, sum / (pixels.length * 3 / 4));
      }
      return most;
    }"""
    return float(reader.evaluate(script, frames))


def filmed(page: Page, addresses: list[str]) -> list[str]:
    """Every picture that the browser painted on its way through these pages."""
    frames: list[str] = []
    film = page.context.new_cdp_session(page)

    def keep(frame: dict[str, Any]) -> None:
        frames.append(frame["data"])
        film.send("Page.screencastFrameAck", {"sessionId": frame["sessionId"]})

    film.on("Page.screencastFrame", keep)
    film.send("Page.startScreencast", {"format": "jpeg", "quality": 60, "everyNthFrame": 1})
    for address in addresses:
        before = len(frames)
        page.goto(address)
        while len(frames) == before:
            _nudge(page)
    film.send("Page.stopScreencast")
    return frames


def _nudge(page: Page) -> None:
    """Has the browser paint once more."""
    page.evaluate("document.body.animate([{ opacity: 1 }, { opacity: 0.99 }], 50).finished")


def test_check_25_a_dark_page_is_dark_from_its_first_paint_on_and_so_is_the_admin(
    opens: Opens, actor: Actor, browser: Browser, failed: Attempt
) -> None:
    first = opens(color_scheme="light").new_page()
    first.goto("/jobs")
    first.get_by_role("button", name="Dark").click()
    assert background(first) == DARK
    saved(actor, "theme", "dark")

    # Another browser of the same person, on a system that is light: nothing is remembered here.
    other = opens(color_scheme="light").new_page()
    other.goto("/admin/")
    assert background(other) == DARK
    addresses = ["/jobs", f"/jobs/{failed.job_id}", "/settings", "/providers", "/admin/", "/nope"]
    frames = filmed(other, addresses)
    with browser.new_context() as plain:
        most = brightest(plain.new_page(), frames)
        white = brightest(plain.new_page(), [base64.b64encode(_white(plain)).decode()])
    tell("check 25", f"brightest of {len(frames)} paints: {most:.0f} of 255 (white: {white:.0f})")
    assert most < 80 < white

    # The admin's own switch is the same one.
    other.goto("/admin/")
    other.locator("#user-tools .theme-toggle").click()
    saved(actor, "theme", "light")
    other.goto("/jobs")
    assert root(other)["theme"] == "light"
    third = opens(color_scheme="light").new_page()
    third.goto("/jobs")
    assert (root(third)["theme"], background(third)) == ("light", LIGHT)


def _white(context: BrowserContext) -> bytes:
    return context.new_page().screenshot(type="jpeg")


# what went wrong, at its place


def test_a_region_that_the_server_refuses_says_so_at_its_place_and_keeps_what_was_there(
    page: Page,
) -> None:
    job = make_job(name="nightly", state="running")
    page.goto(f"/jobs/{job.pk}")
    expect(page.locator("[data-live-status]")).to_have_text("Live")
    headers = {"X-Request-Id": "request-42"}
    page.route("**/facts", lambda route: route.fulfill(status=500, headers=headers))
    touch(job)
    note = page.locator("#job-facts .wrong-here")
    expect(note).to_contain_text("This could not be refreshed (500)")
    expect(note.get_by_title("Request request-42")).to_be_visible()
    assert page.locator("#job-facts dl").count()
    expect(page.locator("#job-header .wrong-here")).to_have_count(0)
    page.unroute("**/facts")
    note.get_by_role("button", name="Try again").click()
    expect(note).to_have_count(0)
    expect(page.locator("#job-facts[data-wrong]")).to_have_count(0)


def test_a_region_that_is_fetched_each_few_seconds_is_asked_later_and_later_while_refused(
    page: Page,
) -> None:
    page.clock.install()
    page.goto("/providers")
    expect(page.locator("[data-live-status]")).to_have_text("Live")
    asked: list[str] = []

    def refuse(route: Route) -> None:
        asked.append(route.request.url)
        route.fulfill(status=500)

    page.route("**/_/providers", refuse)
    for _ in range(30):
        page.clock.run_for(1000)
        page.evaluate("document.readyState")
    # once, then some 3, 4, 8 and 15 s later; by its clock it would be each 5 s beside these
    assert 2 <= len(asked) <= 6, asked
