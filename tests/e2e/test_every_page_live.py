"""Pages that stay open: a server that restarts, a network without websockets, many tabs."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from jobs.services import job_cancel
from providers.models import Mode
from providers.services import provider_set_mode
from tests.support.builders import make_actor
from tests.support.every_page import every_page
from tests.support.figures import tell
from tests.support.filled import Filled, fill
from tests.support.sessions import sign_in
from tests.support.web import WebProcess

pytestmark = [pytest.mark.browser, pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

RESTART_SECONDS, POLL_SECONDS = 20, 15
TABS = 12
_REGIONS = "document.querySelectorAll('[data-live]').length"


@pytest.fixture
def filled() -> Filled:
    return fill(4)


@pytest.fixture
def context(web: WebProcess, browser: Browser, filled: Filled) -> Iterator[BrowserContext]:
    """The administrator's browser, in which no page may have an error."""
    wrong: list[str] = []
    with browser.new_context(viewport={"width": 1280, "height": 800}, base_url=web.url) as made:
        made.add_cookies([{"name": web.cookie, "value": sign_in(filled.user), "url": web.url}])
        made.on("weberror", lambda error: wrong.append(str(error.error)))
        yield made
    assert wrong == []


def live_pages(context: BrowserContext, filled: Filled) -> dict[str, Page]:
    """A tab with each page of the URLconf that has live regions: one of each route."""
    addresses: dict[str, str] = {}
    for page in every_page(filled, admin=False):
        if page.is_document and page.signed_in and not page.pattern.startswith("("):
            addresses.setdefault(page.pattern, page.path)
    tabs = {}
    for path in addresses.values():
        tab = context.new_page()
        tab.goto(path)
        if tab.evaluate(_REGIONS):
            tabs[path] = tab
        else:
            tab.close()
    return tabs


class TwoPages:
    """The pages of a waiting job and of a provider, open while both change."""

    def __init__(self, context: BrowserContext, filled: Filled) -> None:
        self._filled = filled
        self._of_job, self._of_provider = context.new_page(), context.new_page()
        self._of_job.goto(f"/jobs/{filled.jobs['pending'].pk}")
        self._of_provider.goto(f"/providers/{filled.provider.pk}")
        expect(self._of_job.locator(".badge").first).to_have_text("Pending")

    def change_and_see(self) -> None:
        """Cancel the job, drain the provider, and wait until both pages say so."""
        actor = make_actor(self._filled.user, via="web")
        job_cancel(actor, job_id=self._filled.jobs["pending"].pk)
        provider_set_mode(actor, self._filled.provider.pk, Mode.DRAINING)
        expect(self._of_job.locator(".badge").first).to_have_text("Cancelled", timeout=60_000)
        expect(self._of_provider.get_by_text("Draining").first).to_be_visible(timeout=60_000)


def goes_live(page: Page, seconds: float = 20) -> None:
    """Waits until the page says that it is live, and complains of nothing."""
    script = """() => document.querySelector("[data-live-status]")?.dataset.state === "live"
        && !document.querySelector("#live-banner")"""
    page.wait_for_function(script, timeout=1000 * seconds)


def test_check_13_every_page_recovers_from_a_restarted_server_by_itself(
    context: BrowserContext, web: WebProcess, filled: Filled
) -> None:
    two = TwoPages(context, filled)
    tabs = live_pages(context, filled)
    assert {"/jobs", "/providers"} <= set(tabs)
    for page in tabs.values():
        page.evaluate("window.stayed = true")
        goes_live(page)
    web.stop()
    web.start()
    back = time.monotonic()
    late: dict[str, float] = {}
    for path, page in tabs.items():
        goes_live(page, 60)
        late[path] = time.monotonic() - back
        assert page.evaluate("window.stayed"), f"{path} was loaded anew"
        assert page.locator("#live-banner").count() == 0
    two.change_and_see()
    longest = max(late.values())
    tell("check 13", f"{len(tabs)} pages live again after {longest:.1f} s (wanted: 20 s)")
    assert longest < 3 * RESTART_SECONDS


@pytest.mark.ui_long
def test_check_13_without_websockets_pages_change_by_polling(
    context: BrowserContext, filled: Filled
) -> None:
    context.route_web_socket("**/ws/live", lambda socket: socket.close())
    two = TwoPages(context, filled)
    begun = time.monotonic()
    two.change_and_see()
    took = time.monotonic() - begun
    tell("check 13", f"without websockets both pages changed in {took:.1f} s (wanted: 15 s)")
    assert took < 3 * POLL_SECONDS


def test_check_14_the_twelfth_tab_of_one_origin_opens_like_the_first(
    context: BrowserContext, filled: Filled
) -> None:
    paths = ["/jobs", f"/jobs/{filled.jobs['running'].pk}", "/providers"]
    took = []
    for number in range(TABS):
        page = context.new_page()
        begun = time.monotonic()
        page.goto(paths[number % len(paths)])
        goes_live(page)
        took.append(time.monotonic() - begun)
    first, last = max(took[:3]), max(took[-3:])
    tell("check 14", f"tab 12 was live after {took[-1]:.2f} s, the first three {first:.2f} s")
    assert last < 3 * first + 3
