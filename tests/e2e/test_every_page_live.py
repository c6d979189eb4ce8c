"""Pages that stay open: a network that goes away, a server that restarts, a network without
websockets, many tabs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from jobs.services import job_cancel
from providers.models import Mode
from providers.services import provider_set_mode
from tests.support.aloud import hurried, listen, said
from tests.support.axe import COLOURS, judged
from tests.support.builders import make_actor
from tests.support.every_page import every_page
from tests.support.figures import tell
from tests.support.filled import Filled, fill
from tests.support.sessions import sign_in
from tests.support.waiting import wait_until
from tests.support.web import WebProcess

pytestmark = [pytest.mark.browser, pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

BANNER_SECONDS, HEALED_SECONDS = 5, 5
RESTART_SECONDS, POLL_SECONDS = 20, 15
TABS = 12
_REGIONS = "document.querySelectorAll('[data-live]').length"
_NOTE_OUTAGE = """
  const cut = performance.now(), root = document.documentElement;
  window.outage = {};
  const look = () => {
    const after = performance.now() - cut;
    if (document.querySelector("#live-banner[data-down]")) outage.banner ??= after;
    if (root.hasAttribute("data-stale")) outage.grey ??= after;
  };
  new MutationObserver(look).observe(root, { attributes: true, childList: true, subtree: true });
  dispatchEvent(new Event("offline"));
"""
"""The suite's browser lives in a network of its own and takes itself for offline from the start,
so that it does not tell a page of the change; any other does."""
_SHOWN = """(passing) => [...document.querySelectorAll("[data-live]")].map((region) => {
  const seen = region.cloneNode(true);
  for (const el of seen.querySelectorAll(passing)) el.remove();
  return seen.innerHTML.replace(/\\s+/g, " ");
})"""
"""What live regions hold."""
PASSING = "time, .ticks, .hist, [name=until], [name=csrfmiddlewaretoken]"
"""But for what goes on with the time, or is another at each load."""


@pytest.fixture
def filled() -> Filled:
    return fill(4)


@contextmanager
def signed_in(web: WebProcess, browser: Browser, filled: Filled) -> Iterator[BrowserContext]:
    """A browser of the administrator, in which no page may have an error."""
    wrong: list[str] = []
    with browser.new_context(viewport={"width": 1280, "height": 800}, base_url=web.url) as made:
        made.add_cookies([{"name": web.cookie, "value": sign_in(filled.user), "url": web.url}])
        made.on("weberror", lambda error: wrong.append(str(error.error)))
        yield made
    assert wrong == []


@pytest.fixture
def context(web: WebProcess, browser: Browser, filled: Filled) -> Iterator[BrowserContext]:
    with signed_in(web, browser, filled) as made:
        yield made


@pytest.fixture
def elsewhere(web: WebProcess, browser: Browser, filled: Filled) -> Iterator[BrowserContext]:
    """The same person's browser at another place."""
    with signed_in(web, browser, filled) as made:
        yield made


def tab_at(context: BrowserContext, path: str) -> Page:
    tab = context.new_page()
    tab.goto(path)
    return tab


def live_pages(context: BrowserContext, filled: Filled) -> dict[str, Page]:
    """A tab with each page of the URLconf that has live regions: one of each route."""
    addresses: dict[str, str] = {}
    for page in every_page(filled, admin=False):
        if page.is_document and page.signed_in and not page.pattern.startswith("("):
            addresses.setdefault(page.pattern, page.path)
    tabs = {}
    for path in addresses.values():
        tab = tab_at(context, path)
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


def an_outage(tabs: dict[str, Page], elsewhere: BrowserContext, filled: Filled) -> None:
    """The network of these tabs goes away while a job is cancelled and a provider drained: they
    tell of it, turn grey and stay legible; when it is back they are as pages opened anew."""
    for page in tabs.values():
        goes_live(page)
    here = next(iter(tabs.values())).context
    here.set_offline(True)
    for page in tabs.values():
        listen(page)
        page.evaluate(_NOTE_OUTAGE)
    actor = make_actor(filled.user, via="web")
    job_cancel(actor, job_id=filled.jobs["pending"].pk)
    provider_set_mode(actor, filled.provider.pk, Mode.DRAINING)
    anew = {path: tab_at(elsewhere, path) for path in tabs}
    for page in tabs.values():
        page.wait_for_function("() => outage.grey", timeout=60_000)
    seen = [page.evaluate("outage") for page in tabs.values()]
    banner, grey = (max(one[what] for one in seen) / 1000 for what in ("banner", "grey"))
    assert not [words for page in tabs.values() for words in judged(page, COLOURS)]
    old = {path for path, page in tabs.items() if shown(page) != shown(anew[path])}
    assert {"/jobs", f"/providers/{filled.provider.pk}"} <= old, "they knew it without a network"

    here.set_offline(False)
    back = time.monotonic()
    for page in tabs.values():
        page.evaluate("dispatchEvent(new Event('online'))")
    for path, page in tabs.items():
        wait_until(partial(is_as_new, page, anew[path]), 60, f"{path} is as if opened anew")
    healed = time.monotonic() - back
    for page in tabs.values():
        goes_live(page)
        assert page.locator("html[data-stale]").count() == 0
        assert not hurried(said(page))
    tell(
        "check 12",
        f"{len(tabs)} pages: banner after {banner:.1f} s (wanted: {BANNER_SECONDS} s), grey after "
        f"{grey:.1f} s, as opened anew {healed:.1f} s after it (wanted: {HEALED_SECONDS} s)",
    )
    assert banner < 3 * BANNER_SECONDS
    assert healed < 3 * HEALED_SECONDS


def is_as_new(page: Page, anew: Page) -> bool:
    """Whether both pages hold the same. Where not, the other is opened once more: the time goes
    on."""
    if shown(page) == shown(anew):
        return True
    anew.reload()
    return False


def shown(page: Page) -> list[str]:
    found: list[str] = page.evaluate(_SHOWN, PASSING)
    return found


def test_check_12_pages_tell_of_an_outage_turn_grey_and_are_then_as_if_opened_anew(
    context: BrowserContext, elsewhere: BrowserContext, filled: Filled
) -> None:
    job, provider = filled.jobs["pending"].pk, filled.provider.pk
    paths = ["/", "/jobs", f"/jobs/{job}", f"/providers/{provider}"]
    an_outage({path: tab_at(context, path) for path in paths}, elsewhere, filled)


@pytest.mark.ui_long
def test_check_12_so_does_every_page(
    context: BrowserContext, elsewhere: BrowserContext, filled: Filled
) -> None:
    an_outage(live_pages(context, filled), elsewhere, filled)


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
