"""The log viewer in a real browser: hostile output harmless, following honest, nothing lost."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection, transaction
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from jobs.frames import Chunk, pack
from jobs.logs import position
from jobs.models import Attempt, Job, LogChunk
from projects.notify import JobChange, LiveChanges, notify_jobs, notify_live
from providers.driver import LogFrame, Stream
from tests.support.attempts import make_attempt
from tests.support.chromium import open_browser
from tests.support.sessions import make_person, sign_in
from tests.support.waiting import wait_until
from tests.support.web import WebProcess, running_web

pytestmark = [pytest.mark.browser, pytest.mark.e2e, pytest.mark.django_db(transaction=True)]
AT = 1_800_000_000_000_000_000
MANY = 60_000


@pytest.fixture(scope="module")
def web(django_db_setup: None, database_url: str) -> Iterator[WebProcess]:
    with running_web(database_url) as process:
        yield process


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as opened:
        yield opened


@pytest.fixture
def attempt() -> Attempt:
    return make_attempt()


@pytest.fixture
def context(web: WebProcess, browser: Browser, attempt: Attempt) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    key = sign_in(make_person(attempt.job.project))
    context.add_cookies([{"name": web.cookie, "value": key, "url": web.url}])
    yield context
    context.close()


@pytest.fixture
def complaints(context: BrowserContext) -> list[str]:
    """What the browser holds against the page: errors, broken policy, dialogs."""
    heard: list[str] = []

    def watch(page: Page) -> None:
        page.on("console", lambda m: heard.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: heard.append(str(error)))
        page.on("dialog", lambda dialog: heard.append(f"a dialog: {dialog.message}"))

    context.on("page", watch)
    return heard


@pytest.fixture
def page(context: BrowserContext, complaints: list[str]) -> Page:
    return context.new_page()


@pytest.fixture
def open_log(web: WebProcess, page: Page, attempt: Attempt) -> Callable[..., Page]:
    def go(fragment: str = "") -> Page:
        page.goto(f"{web.url}/jobs/{attempt.job_id}{fragment}")
        return page

    return go


def write(attempt: Attempt, *texts: bytes, stream: Stream = Stream.STDOUT) -> None:
    """Output as the log writer commits it, unfinished lines and all."""
    at = position(attempt.pk)
    joined = b"".join(texts)
    going_on = at.open_stderr if stream == Stream.STDERR else at.open_stdout
    frame = LogFrame(stream, AT, joined, not going_on, joined.endswith(b"\n"))
    with transaction.atomic():
        chunks, after = pack([frame], at)
        LogChunk.objects.bulk_create(
            LogChunk(attempt_id=attempt.pk, **{n: getattr(c, n) for n in Chunk.__slots__})
            for c in chunks
        )
        Attempt.objects.filter(pk=attempt.pk).update(
            log_seq=after.seq,
            log_lines=after.lines,
            log_stdout_bytes=after.stdout_bytes,
            log_stderr_bytes=after.stderr_bytes,
        )
        notify_live(LiveChanges(logs={attempt.pk: after.seq}))


def numbered(first: int, last: int) -> list[bytes]:
    return [b"line %d\n" % n for n in range(first, last + 1)]


def change(job: Job, sql: str) -> None:
    """A committed change of a job, with its notice."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE jobs_job SET rev = rev + 1, {sql} WHERE id = %s", [job.pk])
        job.refresh_from_db()
        notify_jobs([JobChange(job.pk, job.rev, job.project_id)])


def shown(page: Page) -> list[int]:
    """The numbers of the lines on the page, in their order."""
    return [int(text[1:]) for text in page.eval_on_selector_all(".l", "els => els.map(e => e.id)")]


def eventually_shown(page: Page, expected: list[int], seconds: float = 15) -> None:
    wait_until(lambda: shown(page) == expected, seconds, f"lines to {expected[-1]} are shown")


def eventually_in_view(page: Page, number: int, seconds: float = 20) -> None:
    """Waits until that line is in the viewer's window. Asks the page itself: Playwright's
    own `expect` describes the page while it waits, which blocks a page of many lines."""
    script = f"""() => {{
        const line = document.getElementById("L{number}")?.getBoundingClientRect();
        const box = document.querySelector("[data-log-lines]").getBoundingClientRect();
        return Boolean(line) && line.top >= box.top && line.bottom <= box.bottom + 1;
    }}"""
    wait_until(lambda: page.evaluate(script), seconds, f"line {number} is in view")


def scroll(page: Page) -> dict[str, Any]:
    found: dict[str, Any] = page.eval_on_selector(
        "[data-log-lines]",
        "e => ({top: e.scrollTop, left: e.scrollHeight - e.clientHeight - e.scrollTop})",
    )
    return found


def test_hostile_output_is_shown_as_text_and_breaks_no_policy(
    attempt: Attempt, open_log: Callable[..., Page], complaints: list[str]
) -> None:
    write(attempt, b"nul \x00 bell \x07 broken \xff\xfe end\n")
    write(attempt, b"<script>alert(1)</script><img src=x onerror=alert(2)> &lt;\n")
    write(attempt, b"\x1b[1;31mred\x1b[0m \x1b[38;2;1;2;3mdeep\x1b[0m \x1b[48;5;200mback\x1b[m.\n")
    write(attempt, b"\x1b]0;title\x07\x1b]8;;javascript:alert(3)\x07link\x1b]8;;\x07 \x1b[2Jx\n")
    write(attempt, b"10%\r50%\r100%\r\n")
    write(attempt, b"Y" * 2**20 + b"\n")
    write(attempt, b"on stderr, unfinished", stream=Stream.STDERR)
    page = open_log()
    eventually_shown(page, list(range(1, 8)))

    def text(number: int) -> str:
        return page.locator(f"#L{number} > span").inner_text()

    assert text(1) == "nul ␀ bell ␇ broken \ufffd\ufffd end"
    assert text(2) == "<script>alert(1)</script><img src=x onerror=alert(2)> &lt;"
    assert text(3) == "red deep back."
    assert page.locator("#L3 .ansi-red-fg.w").inner_text() == "red"
    deep = page.locator("#L3 span", has_text="deep").last
    assert deep.evaluate("e => getComputedStyle(e).color") == "rgb(1, 2, 3)"
    assert text(4) == "link x"
    assert page.locator(".log a[href^=javascript]").count() == 0
    assert text(5) == "100%"
    assert page.locator("#L7").evaluate("e => e.classList.contains('err')")
    assert page.locator("#L6 > span").evaluate("e => e.textContent.length") < 5_000
    page.locator("#L6 .more").click()
    assert page.locator("#L6 > span").evaluate("e => e.textContent") == "Y" * 2**20
    write(attempt, b" line now whole\n", stream=Stream.STDERR)
    expect(page.locator("#L7 > span")).to_have_text("on stderr, unfinished line now whole")
    assert complaints == []


def test_it_follows_until_somebody_reads_and_then_keeps_still(
    attempt: Attempt, open_log: Callable[..., Page]
) -> None:
    write(attempt, *numbered(1, 300))
    page = open_log()
    eventually_shown(page, list(range(1, 301)))
    write(attempt, *numbered(301, 320))
    eventually_shown(page, list(range(1, 321)))
    assert scroll(page)["left"] < 2

    page.locator("[data-log-lines]").hover()
    page.mouse.wheel(0, -500)
    expect(page.locator("[data-log-status]")).to_have_text("Paused")
    wait_until(lambda: scroll(page)["left"] > 400, 5, "the wheel has scrolled")
    before = scroll(page)["top"]
    for first in range(321, 421, 10):
        write(attempt, *numbered(first, first + 9))
    eventually_shown(page, list(range(1, 421)))
    assert abs(scroll(page)["top"] - before) <= 1
    expect(page.locator("[data-log-new]")).to_have_text("100 new lines")

    page.locator("[data-log-jump]").click()
    write(attempt, *numbered(421, 430))
    eventually_shown(page, list(range(1, 431)))
    assert scroll(page)["left"] < 2
    expect(page.locator("[data-log-count]")).to_have_text("430 lines")


def test_a_server_that_restarts_costs_no_line_and_doubles_none(
    web: WebProcess, attempt: Attempt, open_log: Callable[..., Page]
) -> None:
    write(attempt, *numbered(1, 50))
    page = open_log()
    eventually_shown(page, list(range(1, 51)))
    web.stop()
    try:
        write(attempt, *numbered(51, 100))
        expect(page.locator("#live-banner")).to_contain_text("reconnecting", timeout=10_000)
        expect(page.locator("html")).to_have_attribute("data-stale", "", timeout=15_000)
        write(attempt, *numbered(101, 150))
    finally:
        web.start()
    eventually_shown(page, list(range(1, 151)), 30)
    expect(page.locator("#live-banner[data-down]")).to_have_count(0)
    expect(page.locator("html[data-stale]")).to_have_count(0)
    expect(page.locator("[data-live-status]").first).to_have_text("Live")


def test_a_fetch_that_got_no_answer_is_made_again(
    attempt: Attempt, page: Page, open_log: Callable[..., Page]
) -> None:
    open_log()
    expect(page.locator("[data-live-status]").first).to_have_text("Live")
    refused: list[str] = []

    def refuse(route: Route) -> None:
        refused.append(route.request.url)
        route.abort("connectionfailed")

    page.route(re.compile("/_/"), refuse, times=2)
    change(attempt.job, "name = 'told at last'")
    expect(page.locator("#job-header h1")).to_have_text("told at last", timeout=10_000)
    assert refused


def test_without_websockets_the_log_and_the_state_still_come(
    attempt: Attempt, page: Page, open_log: Callable[..., Page]
) -> None:
    page.route_web_socket(re.compile("/ws/live"), lambda ws: ws.close())
    write(attempt, *numbered(1, 20))
    open_log()
    eventually_shown(page, list(range(1, 21)), 45)
    write(attempt, *numbered(21, 30))
    eventually_shown(page, list(range(1, 31)), 45)
    change(attempt.job, "name = 'renamed'")
    expect(page.locator("#job-header h1")).to_have_text("renamed", timeout=45_000)


def test_a_permalink_opens_on_its_lines_and_does_not_follow(
    attempt: Attempt, open_log: Callable[..., Page]
) -> None:
    write(attempt, *numbered(1, 900))
    page = open_log("#L400-L402")
    expect(page.locator(".l.here")).to_have_count(3)
    eventually_in_view(page, 400)
    write(attempt, *numbered(901, 910))
    eventually_shown(page, list(range(1, 911)))
    eventually_in_view(page, 400)
    page.locator("#L403 > a").click()
    assert page.url.endswith("#L403")
    page.locator("#L405 > a").click(modifiers=["Shift"])
    assert page.url.endswith("#L403-L405")
    expect(page.locator(".l.here")).to_have_count(3)


def test_a_very_long_log_opens_at_its_end_and_what_is_left_out_can_be_loaded(
    attempt: Attempt, open_log: Callable[..., Page]
) -> None:
    write(attempt, *numbered(1, MANY))
    page = open_log()
    eventually_in_view(page, MANY)
    gap = page.locator(".gap")
    expect(gap).to_contain_text("lines are not shown here")
    first = shown(page)[0]
    assert shown(page) == list(range(first, MANY + 1))
    gap.locator("button").click()
    wait_until(lambda: shown(page)[0] < first - 1_000, 15, "earlier lines were loaded")
    expect(gap.locator("button")).to_be_enabled()
    now = shown(page)
    assert now == list(range(now[0], MANY + 1))
    expect(gap).to_contain_text(f"{now[0] - 1:,} lines")

    page.goto("about:blank")
    open_log("#L30000")
    eventually_in_view(page, 30_000)
    assert page.locator("#L30000").evaluate("e => e.classList.contains('here')")
    wait_until(lambda: page.locator(".gap").count() == 2, 15, "a gap before and one after")
    assert len(shown(page)) < 15_000


def test_finding_counts_the_lines_and_walks_them(
    attempt: Attempt, open_log: Callable[..., Page]
) -> None:
    write(attempt, *numbered(1, 300))
    page = open_log()
    eventually_shown(page, list(range(1, 301)))
    field = page.locator("[data-log-find]")
    field.fill("LINE 25")
    expect(page.locator("[data-log-matches]")).to_have_text("11 lines")
    field.press("Enter")
    expect(page.locator("[data-log-matches]")).to_have_text("1 of 11 lines")
    eventually_in_view(page, 25)
    field.fill("/line [12]00$/")
    field.press("Shift+Enter")
    eventually_in_view(page, 200)
    field.fill("/(/")
    expect(page.locator("[data-log-matches]")).to_have_text("not a pattern")


def test_a_change_is_on_the_page_without_a_reload_and_signing_out_is_told(
    web: WebProcess, attempt: Attempt, page: Page, open_log: Callable[..., Page]
) -> None:
    open_log()
    expect(page.locator("[data-live-status]").first).to_have_text("Live")
    page.evaluate("window.sameDocument = true")
    change(attempt.job, "name = 'another name'")
    expect(page.locator("#job-header h1")).to_have_text("another name", timeout=3_000)
    assert page.evaluate("window.sameDocument")

    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_session")
    change(attempt.job, "name = 'not for you'")
    expect(page.locator("#live-banner")).to_contain_text("signed out", timeout=5_000)
    expect(page.locator("#job-header h1")).to_have_text("another name")
