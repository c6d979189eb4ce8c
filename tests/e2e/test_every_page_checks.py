"""What all pages are judged by, in a real browser: accessible, on a phone, at 200 %, without
motion, without colours. The pages are those of the URLconf."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, expect

from tests.support.axe import COLOURS, WCAG, judged
from tests.support.browsers import WATCH_POLICY, width_in
from tests.support.every_page import Address, every_page
from tests.support.figures import tell
from tests.support.filled import Filled, fill
from tests.support.sessions import sign_in
from tests.support.web import WebProcess

pytestmark = [pytest.mark.browser, pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

Opens = Callable[..., BrowserContext]
PHONE = (375, 812)


@pytest.fixture
def filled() -> Filled:
    return fill(4)


@pytest.fixture
def opens(web: WebProcess, browser: Browser, filled: Filled) -> Iterator[Opens]:
    """Makes browsers in which the administrator, the viewer or nobody has signed in."""
    made: list[BrowserContext] = []

    def opened(
        address: Address | None = None, width: int = 1280, height: int = 800, **options: Any
    ) -> BrowserContext:
        viewport: Any = {"width": width, "height": height}
        context = browser.new_context(viewport=viewport, base_url=web.url, **options)
        context.add_init_script(WATCH_POLICY)
        if address is None or address.signed_in:
            person = filled.viewer if address and address.as_viewer else filled.user
            context.add_cookies([{"name": web.cookie, "value": sign_in(person), "url": web.url}])
        made.append(context)
        return context

    yield opened
    for context in made:
        context.close()


class Walk:
    """One page per person, in which the addresses are opened one after the other."""

    def __init__(
        self, opens: Opens, watch: Callable[[Page], None] | None = None, **options: Any
    ) -> None:
        self._opens, self._watch, self._options = opens, watch, options
        self._pages: dict[tuple[bool, bool], Page] = {}

    def open(self, address: Address) -> Page:
        """The page at that address, as the person who sees it."""
        who = (address.signed_in, address.as_viewer)
        if who not in self._pages:
            self._pages[who] = self._opens(address, **self._options).new_page()
            if self._watch is not None:
                self._watch(self._pages[who])
        page = self._pages[who]
        page.goto(address.path)
        return page


def documents(filled: Filled, *, admin: bool = False) -> list[Address]:
    """Whole pages; regions are judged as parts of them."""
    return [address for address in every_page(filled, admin=admin) if address.is_document]


def is_admin(address: Address) -> bool:
    return address.pattern.startswith("admin/")


def themes(page: Page) -> list[str]:
    """What axe finds serious on a page, in both themes."""
    wrong = []
    for scheme, rules in (("light", WCAG), ("dark", COLOURS)):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        wrong += [f"{scheme}: {words}" for words in judged(page, rules)]
    return wrong


class Strangers:
    """Notes what the pages of a walk ask elsewhere, what fails in them and what breaks."""

    def __init__(self, own: str) -> None:
        self._own, self.wrong = own, list[str]()

    def watch(self, page: Page) -> None:
        """From now on."""

        def asked(request: Request) -> None:
            if urlsplit(request.url).netloc != self._own and not request.url.startswith("data:"):
                self.wrong.append(f"{page.url} asked {request.url}")

        def failed(request: Request) -> None:
            if request.failure != "net::ERR_ABORTED":  # cut off by going on to the next page
                self.wrong.append(f"{page.url}: {request.url} failed: {request.failure}")

        page.on("pageerror", lambda error: self.wrong.append(f"{page.url}: {error}"))
        page.on("request", asked)
        page.on("requestfailed", failed)


def test_checks_22_24_28_each_page_is_accessible_fits_a_phone_and_keeps_the_content_policy(
    opens: Opens, web: WebProcess, filled: Filled
) -> None:
    """In one walk: opened as a phone does, looked at on it and at 200 %, then in a window in which
    axe judges it; what it asks for and what was refused is noted all the while."""
    strangers = Strangers(urlsplit(web.url).netloc)
    walk = Walk(opens, strangers.watch, width=PHONE[0], height=PHONE[1], reduced_motion="reduce")
    wide, serious, refused = list[str](), list[str](), list[str]()
    addresses = documents(filled, admin=True)
    for address in addresses:
        page = walk.open(address)
        if not is_admin(address):  # whose pages are Django's, and ask for nothing afterwards
            wide += [f"{address.path} {words}" for words in sideways(page)]
            page.set_viewport_size({"width": 1280, "height": 800})
            serious += [f"{address.path} {words}" for words in themes(page)]
            page.wait_for_load_state("networkidle")
            page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
        refused += [f"{address.path}: {words}" for words in page.evaluate("window.refused")]
    judged_ones = sum(not is_admin(address) for address in addresses)
    refused += strangers.wrong
    tell("check 22", f"{judged_ones} pages in two themes, {len(serious)} serious (wanted: 0)")
    tell("check 24", f"{judged_ones} pages in two sizes, {len(wide)} scroll (wanted: 0)")
    tell("check 28", f"{len(addresses)} pages, {len(refused)} of them break it (wanted: 0)")
    assert not serious, "\n".join(serious)
    assert not wide
    assert not refused


def sideways(page: Page) -> list[str]:
    """In which of the two sizes the page that a phone has opened scrolls."""
    sizes = {"at 200 % of 1280 × 800": (640, 400), "on a phone": PHONE}
    return [
        f"{name} is {wide} px wide"
        for name, size in sizes.items()
        if (wide := width_in(page, *size)) > size[0]
    ]


def test_the_judge_sees_what_is_wrong(opens: Opens) -> None:
    page = opens().new_page()
    page.goto("/jobs")
    page.evaluate("document.querySelector('main').insertAdjacentHTML('beforeend', '<input>')")
    assert any("label" in words for words in judged(page, WCAG))


def test_check_24_from_a_failed_job_to_its_error_and_its_rerun_in_three_taps(
    opens: Opens, filled: Filled
) -> None:
    job = filled.jobs["failed"]
    page = opens(width=375, height=812, has_touch=True, is_mobile=True).new_page()
    page.goto("/jobs")
    page.locator(f"#job-{job.pk} .name a").tap()
    expect(page.get_by_role("group", name="Its last lines")).to_be_visible()
    page.get_by_role("button", name=re.compile("^Rerun")).first.tap()
    expect(page).to_have_url(re.compile(rf"/jobs/(?!{job.pk}$)\d+$"))
    tell("check 24", "list → failed job with its last lines → rerun: 2 taps (wanted: 3)")


def test_check_23_each_state_is_told_by_a_shape_and_a_word_of_its_own(
    opens: Opens, filled: Filled
) -> None:
    page = opens().new_page()
    page.goto("/jobs")
    marks = page.eval_on_selector_all(
        "#job-rows .status",
        "all => all.map((el) => [el.textContent.trim(), el.querySelector('svg').innerHTML])",
    )
    words = {word for word, _ in marks}
    states = {str(job.state).capitalize() for job in filled.jobs.values()}
    assert words >= states
    per_shape = Counter(shape for _, shape in {(word, shape) for word, shape in marks})
    assert max(per_shape.values()) == 1, f"two words share a shape: {marks}"


def test_check_23_in_forced_colours_shapes_and_borders_stay(opens: Opens) -> None:
    page = opens(forced_colors="active").new_page()
    page.goto("/jobs")
    mark = page.locator("#job-rows .status svg").first
    colours = mark.evaluate(
        "(el) => [getComputedStyle(el).color, getComputedStyle(document.body).backgroundColor]"
    )
    assert colours[0] != colours[1]
    button = page.get_by_role("link", name="New job").first
    assert button.evaluate("(el) => getComputedStyle(el).borderStyle") == "solid"


def test_check_23_in_forced_colours_bars_and_their_legends_are_told_apart(
    opens: Opens, filled: Filled
) -> None:
    page = opens(forced_colors="active").new_page()
    page.goto(f"/jobs/{filled.jobs['completed'].pk}")
    canvas = page.evaluate("getComputedStyle(document.body).backgroundColor")
    for kind in ("queued", "running"):
        mark = page.locator(f".legend .sw.p-{kind}").first
        shown = page.locator(f".track .p-{kind}").first
        look = "(el) => { const s = getComputedStyle(el); return [s.backgroundColor, s.fill]; }"
        assert mark.evaluate("(el) => getComputedStyle(el).outlineStyle") == "solid", kind
        assert shown.evaluate("(el) => getComputedStyle(el).stroke") not in ("none", canvas), kind
        if kind == "running":
            assert mark.evaluate(look)[0] == shown.evaluate(look)[1] != canvas
    page.goto(f"/providers/{filled.provider.pk}")
    bar = page.locator(".cap").first
    used, reserved = (
        page.locator(f".sw.{kind}").first.evaluate("(el) => getComputedStyle(el).fill")
        for kind in ("used", "reserved")
    )
    assert bar.evaluate("(el) => getComputedStyle(el).outlineStyle") == "solid"
    assert len({used, reserved, canvas}) == 3


def test_check_23_with_reduced_motion_nothing_moves(opens: Opens, filled: Filled) -> None:
    moves = "document.getAnimations().filter((a) => a.playState === 'running').length"
    for motion, wanted in (("no-preference", True), ("reduce", False)):
        page = opens(reduced_motion=motion).new_page()
        page.goto(f"/jobs/{filled.jobs['running'].pk}")
        expect(page.locator(".badge").first).to_be_visible()
        assert bool(page.evaluate(moves)) is wanted, motion


@pytest.mark.ui_long
def test_check_22_the_admin_has_nothing_serious_either(opens: Opens, filled: Filled) -> None:
    addresses = [a for a in documents(filled, admin=True) if is_admin(a)]
    walk, wrong = Walk(opens, reduced_motion="reduce"), list[str]()
    for address in addresses:
        wrong += [f"{address.path} {words}" for words in themes(walk.open(address))]
    tell("check 22", f"{len(addresses)} pages of the admin, {len(wrong)} serious (wanted: 0)")
    assert not wrong, "\n".join(wrong)


@pytest.mark.ui_long
def test_check_23_pictures_in_grey_and_as_a_colour_blind_person_sees_them(
    opens: Opens, filled: Filled
) -> None:
    folder = Path(__file__).parent / "results"
    folder.mkdir(exist_ok=True)
    page = opens(width=1440, height=900).new_page()
    eyes = page.context.new_cdp_session(page)
    for name in ("achromatopsia", "deuteranopia"):
        eyes.send("Emulation.setEmulatedVisionDeficiency", {"type": name})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            for address in ("/jobs", f"/jobs/{filled.jobs['failed'].pk}", "/providers"):
                page.goto(address)
                file = f"{name}-{scheme}{address.replace('/', '-')}.png"
                page.screenshot(path=folder / file, full_page=True)
    tell("check 23", f"look at the pictures in {folder}: every state must be told")
