"""The log viewer's acceptance checks, each in a real browser against a real server."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, BrowserContext, Page, Response, expect

from jobs.models import Attempt, Job
from providers.driver import Stream
from tests.support.attempts import make_attempt
from tests.support.builders import make_token
from tests.support.curl import have_curl, ran
from tests.support.figures import tell
from tests.support.log_levels import LEVELS
from tests.support.log_page import (
    eventually_in_view,
    eventually_shown,
    finish,
    numbered,
    opened_ms,
    shown,
    write,
)
from tests.support.readings import measure
from tests.support.sessions import make_person
from tests.support.waiting import wait_until
from tests.support.web import WebProcess

pytestmark = [pytest.mark.browser, pytest.mark.e2e, pytest.mark.django_db(transaction=True)]
NEAR_MS = 2_000
JOB_SCRIPT_BYTES = 80 * 1024
TRACE = [
    b"Traceback (most recent call last):\n",
    b'  File "/app/bake.py", line 210, in tile\n',
    b"MemoryError: 268,435,456 bytes\n",
]


def test_check_3_the_first_and_the_newest_line_are_near(
    attempt: Attempt, open_log: Callable[..., Page]
) -> None:
    write(attempt, *numbered(1, 5_000))
    page = open_log()
    newest = opened_ms(page, 5_000)
    page.locator("[data-log-lines]").focus()
    before = page.evaluate("performance.now()")
    page.keyboard.press("Home")
    first = opened_ms(page, 1) - before
    tell("check 3", f"newest line after {newest:.0f} ms, line 1 {first:.0f} ms after Home")
    assert max(newest, first) < 3 * NEAR_MS
    assert len(shown(page)) == 5_000
    page.keyboard.press("End")
    eventually_in_view(page, 5_000)


def test_check_6_the_browser_finds_and_copies_lines(
    attempt: Attempt, context: BrowserContext, open_log: Callable[..., Page]
) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    write(attempt, *numbered(1, 1_000))
    page = open_log("#L101")
    eventually_in_view(page, 101)
    assert page.evaluate("window.find('line 777', true)"), "the browser's own search sees it"
    begin, further = (page.locator(f"#L{n} > span").bounding_box() for n in (101, 104))
    assert begin is not None
    assert further is not None
    page.mouse.move(begin["x"], begin["y"] + 5)
    page.mouse.down()
    page.mouse.move(further["x"] + 20, further["y"] + 5, steps=5)
    page.mouse.up()
    assert page.evaluate("String(getSelection())").startswith("line 101\nline 102\nline 103\n")
    page.evaluate("location.hash = '#L600'")
    eventually_in_view(page, 600)
    span = page.locator("#L600 > span")
    box = span.bounding_box()
    assert box is not None
    span.click(position={"x": box["width"] - 1, "y": 5}, modifiers=["Shift"])
    page.keyboard.press("Control+C")
    expected = b"".join(numbered(101, 600)).decode().rstrip("\n")
    wait_until(lambda: page.evaluate("navigator.clipboard.readText()"), 10, "it is copied")
    assert page.evaluate("navigator.clipboard.readText()") == expected
    tell("check 6", "500 lines copied as they were written, without numbers")


def test_check_10_a_failed_run_opens_on_its_traceback_and_e_leads_there(
    attempt: Attempt, open_log: Callable[..., Page]
) -> None:
    write(attempt, *numbered(1, 100), b"ERROR 429 from the source, waiting 2 s\n")
    write(attempt, *numbered(102, 400))
    write(attempt, *TRACE, stream=Stream.STDERR)
    finish(attempt, "failed", 1)
    page = open_log()
    expect(page.locator("#job-header")).to_contain_text("MemoryError: 268,435,456 bytes")
    eventually_in_view(page, 401)
    wait_until(lambda: "now" in classes(page, 401), 10, "it lands on the traceback")
    page.locator("[data-log-lines]").focus()
    page.keyboard.press("Home")
    eventually_in_view(page, 1)
    page.keyboard.press("e")
    eventually_in_view(page, 403)
    page.keyboard.press("Shift+E")
    page.keyboard.press("Shift+E")
    eventually_in_view(page, 101)
    expect(page.locator("[data-log-error]")).to_contain_text("Error 1 of 3")


def test_where_no_line_says_error_e_leads_to_the_last_of_stderr(
    attempt: Attempt, open_log: Callable[..., Page]
) -> None:
    write(attempt, b"begun\n")
    write(attempt, b"could not\n", stream=Stream.STDERR)
    write(attempt, *numbered(3, 300))
    page = open_log()
    eventually_in_view(page, 300)
    page.keyboard.press("e")
    eventually_in_view(page, 2)
    expect(page.locator("[data-log-status]")).to_contain_text("last one on stderr")


def classes(page: Page, number: int) -> str:
    found: str = page.evaluate(f"document.getElementById('L{number}')?.className ?? ''")
    return found


def test_lines_that_tell_of_trouble_are_marked(
    attempt: Attempt, open_log: Callable[..., Page]
) -> None:
    write(attempt, *(f"{line}\n".encode() for line, _ in LEVELS))
    page = open_log()
    eventually_shown(page, list(range(1, len(LEVELS) + 1)))
    marked = page.eval_on_selector_all(
        ".l", "els => els.map((e) => ['bad', 'wrn'].find((c) => e.classList.contains(c)) ?? '')"
    )
    assert list(zip([line for line, _ in LEVELS], marked, strict=True)) == LEVELS


def test_check_11_the_download_is_the_log_and_choices_are_remembered(
    web: WebProcess,
    browser: Browser,
    attempt: Attempt,
    context: BrowserContext,
    open_log: Callable[..., Page],
) -> None:
    raws = {
        1: b"\x1b[31mred\x1b[0m\r\n\xff\x00 bytes\nno newline",
        2: b"tried again\n\xfe\nand\ndone\n",
    }
    write(attempt, raws[1])
    Attempt.objects.filter(pk=attempt.pk).update(
        phase="ended", outcome="failed", ended_at=timezone.now(), log_complete=True
    )
    job = attempt.job
    second = make_attempt(job=job, provider=attempt.provider, number=2)
    Job.objects.filter(pk=job.pk).update(attempt=2)
    write(second, raws[2])
    finish(second)
    for number, raw in raws.items():
        page = open_log(f"?attempt={number}")
        eventually_shown(page, [1, 2, 3, 4][: raw.count(b"\n") + (number == 1)])
        hrefs = page.eval_on_selector_all("[data-log-download]", "els => els.map((e) => e.href)")
        plain, packed = (context.request.get(href).body() for href in hrefs)
        address = f"{web.url}/api/v1/jobs/{job.pk}/logs?attempt={number}"
        assert plain == context.request.get(address).body() == raw
        assert gzip.decompress(packed) == raw
    size = sum(map(len, raws.values()))
    tell("check 11", f"{size} bytes of two attempts, equal to the API's")
    page = open_log("?attempt=1")
    eventually_shown(page, [1, 2, 3])

    page.locator("[data-log-pref=time]").select_option("utc")
    page.locator("[data-log-pref=wrap]").check(force=True)
    page.get_by_role("button", name="View").click()
    page.get_by_text("14", exact=True).click()
    choices = {"time": "utc", "wrap": "on", "size": "14", "streams": "both"}

    def chosen(one: Page) -> bool:
        data = json.loads(one.evaluate("JSON.stringify(document.querySelector('#log').dataset)"))
        return bool(choices.items() <= data.items())

    assert chosen(page)
    page.reload()
    assert chosen(page)
    assert page.locator("#L1 > time").inner_text() == "08:00:00.000Z"
    again = browser.new_context(storage_state=context.storage_state())
    other = again.new_page()
    other.goto(page.url)
    assert chosen(other)
    again.close()


def test_the_log_is_copied_as_a_curl_command_that_gets_it(
    attempt: Attempt, context: BrowserContext, open_log: Callable[..., Page]
) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    have_curl()
    raw = b"\x1b[31mred\x1b[0m\r\n\xff\x00 bytes\nno newline"
    write(attempt, raw)
    page = open_log()
    eventually_shown(page, [1, 2, 3])
    page.get_by_role("button", name="Download or copy the log").click()
    page.get_by_role("button", name="Copy as curl").click()
    expect(page.locator("[data-log-status]")).to_contain_text("set GANTRY_TOKEN")
    copied = page.evaluate("navigator.clipboard.readText()")
    reader = make_person(attempt.job.project)
    assert ran(copied, make_token(reader)) == raw


def test_f_fills_the_screen_and_gives_it_back_but_not_while_somebody_types(
    attempt: Attempt, open_log: Callable[..., Page]
) -> None:
    write(attempt, *numbered(1, 300))
    page = open_log()
    eventually_in_view(page, 300)
    log = page.locator("#log")
    page.keyboard.press("f")
    expect(log).to_have_attribute("data-full", "on")
    expect(page.locator("button[data-log-full]")).to_have_attribute("aria-pressed", "true")
    assert log.bounding_box() == {"x": 0, "y": 0, "width": 1280, "height": 800}
    eventually_in_view(page, 300)
    page.keyboard.press("/")
    page.keyboard.type("f")
    expect(log).to_have_attribute("data-full", "on")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(log).to_have_attribute("data-full", "off")
    page.locator("[data-log-lines]").focus()
    page.keyboard.press("f")
    page.keyboard.press("f")
    expect(log).to_have_attribute("data-full", "off")


def test_the_strip_beside_the_lines_shows_where_errors_and_matches_are_and_leads_there(
    attempt: Attempt, open_log: Callable[..., Page]
) -> None:
    write(attempt, *numbered(1, 99), b"ERROR one\n", *numbered(101, 899), b"ERROR two\n")
    write(attempt, *numbered(901, 1_000))
    page = open_log()
    eventually_in_view(page, 1_000)
    marks = page.locator("[data-log-map] .e")
    expect(marks).to_have_count(2)
    places = "(all) => all.map((el) => parseFloat(el.style.insetBlockStart))"
    assert marks.evaluate_all(places) == pytest.approx([9.6, 89.6])  # of 1,000 lines, in per cent
    marks.first.click(force=True)  # narrow, and over the lines
    eventually_in_view(page, 100)
    assert "now" in classes(page, 100)
    page.locator("[data-log-find]").fill("line 50")
    hits = page.locator("[data-log-map] i:not(.e)")
    expect(hits.first).to_have_attribute("title", "1 match from line 50")
    expect(hits).to_have_count(5)  # line 50, and 500 to 509 in places of four lines


def test_on_a_phone_the_lines_farthest_from_the_reader_make_room_for_new_ones(
    browser: Browser, context: BrowserContext, attempt: Attempt, web: WebProcess
) -> None:
    most = 20_000
    write(attempt, *numbered(1, most - 20))
    with browser.new_context(
        storage_state=context.storage_state(),
        viewport={"width": 375, "height": 812},
        has_touch=True,
        is_mobile=True,
    ) as phone:
        page = phone.new_page()
        page.goto(f"{web.url}/jobs/{attempt.job_id}")
        eventually_in_view(page, most - 20)
        wait_until(lambda: len(shown(page)) == most - 20, 60, "all that fits is here")
        write(attempt, *numbered(most - 19, most + 130))
        eventually_in_view(page, most + 130)
        wait_until(lambda: len(shown(page)) <= most, 20, "no more than fits is here")
        gap = page.locator(".gap")
        expect(gap).to_have_count(1)
        expect(gap).to_contain_text("150 lines are not shown here")
        assert shown(page) == list(range(151, most + 131))
        gap.get_by_role("button", name="go to the first").click()
        eventually_in_view(page, 1)


def test_groups_fold_once_and_then_only_by_hand(
    attempt: Attempt, open_log: Callable[..., Page]
) -> None:
    write(attempt, b"::group::Install\n", *numbered(2, 4), b"::endgroup::\n", b"between\n")
    write(attempt, b"--- Broken\n", b"error: no\n", b"+++ Kept\n", b"x\n", b"--- Last\n", b"y\n")
    write(attempt, b"--- a/diff.py\n", b"--- PASS: TestOne (0.00s)\n")
    page = open_log()
    eventually_shown(page, list(range(1, 15)))

    def seen(number: int) -> bool:
        script = f"document.getElementById('L{number}').checkVisibility()"
        return bool(page.evaluate(script))

    heads = page.eval_on_selector_all(".gh b", "els => els.map((e) => e.textContent)")
    assert heads == ["Install", "Broken", "Kept", "Last"]
    assert [n for n in range(1, 15) if not seen(n)] == [2, 3, 4, 5]
    expect(page.locator("#L1 small")).to_have_text("lines 1–5")
    write(attempt, b"--- Newest\n", b"z\n")
    eventually_shown(page, list(range(1, 17)))
    assert seen(12), "what was open stays open when the next group begins"
    page.locator("#L11 b").click()
    assert not seen(12)
    page.locator("#L1 .fold").click()
    assert seen(3)
    page.locator("#L1 .fold").click()
    page.evaluate("location.hash = '#L3'")
    wait_until(lambda: seen(3), 10, "a link into a folded group opens it")


def test_on_a_phone_the_viewer_fits_and_fills_the_screen(
    attempt: Attempt, page: Page, open_log: Callable[..., Page]
) -> None:
    page.set_viewport_size({"width": 375, "height": 812})
    write(attempt, b"word " * 100 + b"\n", b"x" * 900 + b"\n", *numbered(3, 200))
    open_log()
    eventually_in_view(page, 200)
    wide = "e => e.scrollWidth - e.clientWidth"
    assert page.eval_on_selector("html", wide) <= 0
    assert page.eval_on_selector("[data-log-lines]", wide) <= 0
    page.locator("[data-log-full]").click()
    box = page.locator("#log").bounding_box()
    assert box is not None
    assert (box["width"], box["height"]) == (375, 812)
    page.keyboard.press("Escape")
    expect(page.locator("#log")).to_have_attribute("data-full", "off")


def test_on_a_phone_the_error_is_in_view_when_the_reader_gets_to_the_log(
    attempt: Attempt, page: Page, open_log: Callable[..., Page]
) -> None:
    page.set_viewport_size({"width": 375, "height": 600})
    write(attempt, *(b"word " * 30 + b"%d\n" % n for n in range(1, 200)))
    write(attempt, *TRACE, stream=Stream.STDERR)
    finish(attempt, "failed", 1)
    open_log()
    wait_until(lambda: "now" in classes(page, 200), 20, "it lands on the traceback")
    assert page.evaluate("scrollY") == 0, "the page stays at the outcome"
    page.evaluate("document.querySelector('#log').scrollIntoView()")
    eventually_in_view(page, 200)


def test_check_28_the_scripts_of_the_job_page_are_small(
    attempt: Attempt, page: Page, open_log: Callable[..., Page]
) -> None:
    sizes: dict[str, int] = {}

    def note(response: Response) -> None:
        if response.url.endswith(".js"):
            sizes[response.url] = len(gzip.compress(response.body()))

    page.on("response", note)
    write(attempt, *numbered(1, 10), b"ERROR \x1b[31mred\x1b[0m\n")
    Attempt.objects.filter(pk=attempt.pk).update(running_at=timezone.now() - timedelta(minutes=1))
    measure(attempt, (20, 200, 100), (10, 600, 300), (5, 400, 200))
    open_log()
    eventually_shown(page, list(range(1, 12)))
    plots = page.locator("#job-use .plot")
    expect(plots).to_have_count(2)
    page.keyboard.press("/")
    page.keyboard.type("line")
    expect(page.locator("[data-log-matches]")).to_have_text("10 matches")
    page.locator("[data-log-only]").check(force=True)
    expect(page.locator("[data-log-excerpt]")).to_be_visible()
    total = sum(sizes.values())
    tell("check 28", f"{total / 1024:.1f} KB of script, compressed, in {len(sizes)} files")
    assert total <= JOB_SCRIPT_BYTES

    plots.first.hover(position={"x": 1, "y": 30})
    expect(plots.first.locator(".at")).to_contain_text("100 MiB at")
    expect(plots.last.locator(".at")).to_contain_text("0.20 CPU at")
    page.locator("h1").hover()
    expect(plots.first.locator(".at")).to_be_hidden()
