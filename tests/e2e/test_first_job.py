"""From a fresh install to the log of a first job, by what the page says."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.support.chromium import open_browser
from tests.support.figures import tell
from tests.support.running import ADMIN_PASSWORD, running_gantry

pytestmark = [pytest.mark.e2e, pytest.mark.docker, pytest.mark.browser]

MOST_CLICKS = 8
MOST_SECONDS = 180
PATIENCE_MS = 60_000


class Hand:
    """Clicks, and counts them."""

    def __init__(self) -> None:
        self.clicks = 0

    def click(self, on: Locator) -> None:
        self.clicks += 1
        on.click()

    def type(self, on: Locator, text: str) -> None:
        self.click(on)
        on.fill(text)


@pytest.mark.usefixtures("docker_image")
def test_check_1_a_fresh_install_comes_to_its_first_log_in_a_few_clicks() -> None:
    with running_gantry() as gantry, open_browser() as browser:
        gantry.start()
        with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
            page = context.new_page()
            wrong: list[str] = []
            page.on("console", lambda m: wrong.append(m.text) if m.type == "error" else None)
            page.on("pageerror", lambda error: wrong.append(str(error)))
            hand, begun = Hand(), time.monotonic()
            page.goto(gantry.url)
            _first_log(page, hand)
            seconds = time.monotonic() - begun
            hand.click(page.get_by_role("link", name="Go on to the home page"))
            expect(page.get_by_role("heading", name="Nothing needs you")).to_be_visible()
            expect(page.locator("#home-mine")).to_contain_text("hello-world")
            expect(page.locator("#home-day")).to_contain_text(re.compile(r"1\s*completed"))
    tell("check 1", f"{hand.clicks} clicks (wanted: {MOST_CLICKS}), {seconds:.0f} s (wanted: 180)")
    assert wrong == []
    assert hand.clicks <= MOST_CLICKS
    assert seconds < MOST_SECONDS


def _first_log(page: Page, hand: Hand) -> None:
    """Sign in, run the job, and see its steps tick and its lines come without a reload."""
    hand.type(page.get_by_label("Name"), "admin")
    hand.type(page.get_by_label("Password"), ADMIN_PASSWORD)
    hand.click(page.get_by_role("button", name="Sign in"))
    expect(page.get_by_role("heading", name="Run your first job")).to_be_visible()
    expect(page.locator(".steps > li").nth(0)).to_have_class("done", timeout=PATIENCE_MS)
    hand.click(page.get_by_role("button", name="Run hello-world"))
    page.evaluate("window.same = true")
    log = page.get_by_label("The end of its log")
    expect(log).to_contain_text("Hello from", timeout=PATIENCE_MS)
    expect(log).to_contain_text("line 9 of 9", timeout=PATIENCE_MS)
    expect(page.get_by_role("heading", name="Your first job has run")).to_be_visible(
        timeout=PATIENCE_MS
    )
    assert page.locator(".steps > li.done").count() == 3
    assert page.evaluate("window.same"), "the page was not loaded anew"
