"""The log viewer in a real browser: hostile output harmless, following honest, nothing lost."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from django.db import connection, transaction
from django.utils import timezone
from playwright.sync_api import BrowserContext, Page, Route, WebSocketRoute, expect

from jobs.models import Attempt, Job
from projects.models import Membership
from projects.notify import JobChange, notify_jobs
from providers.driver import Stream
from tests.support.aloud import hurried, listen, said
from tests.support.attempts import make_attempt
from tests.support.builders import make_job
from tests.support.figures import tell
from tests.support.log_page import (
    eventually_in_view,
    eventually_shown,
    finish,
    flood,
    numbered,
    scroll,
    shown,
    write,
)
from tests.support.waiting import wait_until
from tests.support.web import WebProcess

pytestmark = [pytest.mark.browser, pytest.mark.e2e, pytest.mark.django_db(transaction=True)]
MANY = 60_000


def change(job: Job, sql: str) -> None:
    """A committed change of a job, with its notice."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE jobs_job SET rev = rev + 1, {sql} WHERE id = %s", [job.pk])
        job.refresh_from_db()
        notify_jobs([JobChange(job.pk, job.rev, job.project_id)])


def test_check_8_hostile_output_is_shown_as_text_and_breaks_no_policy(
    attempt: Attempt, open_log: Callable[..., Page], complaints: list[str]
) -> None:
    write(attempt, b"nul \x00 bell \x07 broken \xff\xfe end\n")
    write(attempt, b"<script>alert(1)</script><img src=x onerror=alert(2)> &lt;\n")
    write(attempt, b"\x1b[1;31mred\x1b[0m \x1b[38;2;1;2;3mdeep\x1b[0m \x1b[48;5;200mback\x1b[m.\n")
    write(attempt, b"\x1b]0;title\x07\x1b]8;;javascript:alert(3)\x07link\x1b]8;;\x07 \x1b[2Jx\n")
    write(attempt, b"\x1b[38;5;208morange\x1b[m 10%\r50%\r100%\r\n")
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


def test_check_8_colours_are_those_that_were_written(
    attempt: Attempt, open_log: Callable[..., Page]
) -> None:
    write(attempt, b"\x1b[38;5;208morange\x1b[m \x1b[48;5;200mpink\x1b[m plain\n")
    write(attempt, b"\x1b[31m10 %\r20 %\n", b"\x1b[0m\rover\n", b"after\n")
    page = open_log()
    eventually_shown(page, [1, 2, 3, 4])

    def style(words: str, name: str) -> str:
        found: str = page.locator(".l > span span", has_text=words).evaluate(
            "(el, name) => getComputedStyle(el)[name]", name
        )
        return found

    assert style("orange", "color") == "rgb(255, 135, 0)"
    assert style("pink", "backgroundColor") == "rgba(255, 0, 215, 0.3)"
    texts = page.locator(".l > span").all_inner_texts()
    assert texts == ["orange pink plain", "20 %", "over", "after"]
    assert page.locator("#L2 .ansi-red-fg").inner_text() == "20 %", "as its earlier state"
    assert page.locator("#L3 > span span, #L4 > span span").count() == 0, "red was switched off"


def test_check_4_it_follows_until_somebody_reads_and_then_keeps_still(
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
    expect(page.locator("[data-log-new]")).to_have_text("100 new lines — jump to end")

    page.locator("[data-log-jump]").click()
    write(attempt, *numbered(421, 430))
    eventually_shown(page, list(range(1, 431)))
    assert scroll(page)["left"] < 2
    expect(page.locator("[data-log-count]")).to_have_text("430 lines")


def test_check_13_a_server_that_restarts_costs_no_line_and_doubles_none(
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


def test_what_has_failed_is_asked_at_once_when_somebody_comes_back(
    attempt: Attempt, page: Page, open_log: Callable[..., Page]
) -> None:
    open_log()
    expect(page.locator("[data-live-status]").first).to_have_text("Live")
    header = re.compile("/header$")
    page.route(header, lambda route: route.fulfill(status=503))
    page.evaluate("window.busy = 0; addEventListener('htmx:responseError', () => { busy += 1; })")
    change(attempt.job, "name = 'told at last'")
    page.wait_for_function("() => busy === 3", timeout=30_000)
    page.unroute(header)
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    # By itself it would be asked again 8 s after the last time.
    expect(page.locator("#job-header h1")).to_have_text("told at last", timeout=5_000)


def test_the_log_of_a_job_that_is_opened_before_its_first_attempt_starts_by_itself(
    attempt: Attempt, page: Page, web: WebProcess
) -> None:
    job = make_job(project=attempt.job.project)
    page.goto(f"{web.url}/jobs/{job.pk}")
    status = page.locator("[data-log-status]")
    expect(page.locator("[data-live-status]").first).to_have_text("Live")
    expect(status).to_have_text("No output yet")
    take = page.locator("[data-log-download]").first
    expect(take).to_have_js_property("hidden", True)
    first = make_attempt(job=job, provider=attempt.provider)
    change(job, f"state = 'running', attempt = 1, provider_id = {attempt.provider_id}")
    write(first, *numbered(1, 5))
    eventually_shown(page, [1, 2, 3, 4, 5])
    expect(status).to_have_text("Following")
    assert str(take.get_attribute("href")).endswith("?attempt=1")
    expect(take).to_have_js_property("hidden", False)


def test_who_may_no_longer_read_a_log_is_told_so(
    attempt: Attempt, page: Page, open_log: Callable[..., Page]
) -> None:
    """Rights are looked at again within a minute; here the server's word comes at once."""
    sockets: list[WebSocketRoute] = []

    def between(socket: WebSocketRoute) -> None:
        socket.connect_to_server()
        sockets.append(socket)

    page.route_web_socket(re.compile("/ws/live"), between)
    write(attempt, *numbered(1, 5))
    open_log()
    eventually_shown(page, [1, 2, 3, 4, 5])
    Membership.objects.filter(project=attempt.job.project).delete()
    for topic in (f"job:{attempt.job_id}", f"log:{attempt.job_id}/1"):
        sockets[-1].send(json.dumps({"t": "denied", "topic": topic}))
    status = page.locator("[data-log-status]")
    expect(status).to_have_text("You may no longer read this log")
    expect(page.locator("#job-header .wrong-here")).to_contain_text("not there any more")


def test_check_13_without_websockets_the_log_and_the_state_still_come(
    attempt: Attempt, page: Page, open_log: Callable[..., Page]
) -> None:
    page.route_web_socket(re.compile("/ws/live"), lambda ws: ws.close())
    write(attempt, *numbered(1, 20))
    open_log()
    eventually_shown(page, list(range(1, 21)), 45)
    write(attempt, *numbered(21, 30))
    eventually_shown(page, list(range(1, 31)), 45)
    expect(page.locator("[data-log-status]")).to_have_text("Following")
    change(attempt.job, "name = 'renamed'")
    expect(page.locator("#job-header h1")).to_have_text("renamed", timeout=45_000)


def test_without_websockets_a_log_that_has_ended_is_over_and_opens_on_its_error(
    attempt: Attempt, page: Page, open_log: Callable[..., Page]
) -> None:
    page.route_web_socket(re.compile("/ws/live"), lambda ws: ws.close())
    write(attempt, *numbered(1, 300), b"ERROR it broke\n", *numbered(302, 500))
    finish(attempt, "failed", 1)
    open_log()
    expect(page.locator("[data-log-status]")).to_have_text("Ended", timeout=15_000)
    expect(page.locator("#L301.now")).to_have_count(1)
    eventually_in_view(page, 301)
    expect(page.locator(".gap.end")).to_contain_text("exit code 1. The log is complete.")
    assert not page.evaluate("document.querySelector('#log').viewer.without.wanted()"), "no polls"


def test_a_page_of_another_address_than_gantry_is_set_up_for_says_so_and_polls(
    attempt: Attempt, page: Page, open_log: Callable[..., Page]
) -> None:
    page.route_web_socket(re.compile("/ws/live"), lambda ws: ws.close(code=4403))
    write(attempt, *numbered(1, 20))
    open_log()
    banner = page.locator("#live-banner")
    expect(banner).to_contain_text("another address than this one (GANTRY_PUBLIC_URL)")
    expect(page.locator("[data-live-status]").first).to_have_text("Not live")
    eventually_shown(page, list(range(1, 21)), 15)
    change(attempt.job, "name = 'renamed'")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("#job-header h1")).to_have_text("renamed")
    expect(page.locator("html[data-stale]")).to_have_count(0)


def test_check_7_a_permalink_opens_on_its_lines_and_does_not_follow(
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
    gap.locator("button").first.click()
    wait_until(lambda: shown(page)[0] < first - 1_000, 15, "earlier lines were loaded")
    expect(gap).not_to_have_attribute("aria-busy", "true")
    now = shown(page)
    assert now == list(range(now[0], MANY + 1))
    expect(gap).to_contain_text(f"{now[0] - 1:,} lines")

    page.goto("about:blank")
    open_log("#L30000")
    eventually_in_view(page, 30_000)
    assert page.locator("#L30000").evaluate("e => e.classList.contains('here')")
    wait_until(lambda: page.locator(".gap").count() == 2, 15, "a gap before and one after")
    assert len(shown(page)) < 15_000


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


def test_check_22_a_flood_and_an_outage_are_not_told_aloud_again_and_again(
    attempt: Attempt, context: BrowserContext, open_log: Callable[..., Page]
) -> None:
    Attempt.objects.filter(pk=attempt.pk).update(running_at=timezone.now())
    write(attempt, *numbered(1, 100))
    page = open_log()
    eventually_shown(page, list(range(1, 101)))
    page.locator("[data-log-find]").fill("line")
    expect(page.locator("[data-log-matches]")).to_have_text("100 matches")
    page.locator("svg.track a[data-open]").focus()
    listen(page)
    with flood(attempt, 101) as written:
        counted = {page.locator("[data-log-matches]").inner_text()}

        def the_count_has_changed_often() -> bool:
            counted.add(page.locator("[data-log-matches]").inner_text())
            return len(counted) > 6

        wait_until(the_count_has_changed_often, 60, "the search counts what comes")
        assert written() > 100
        context.set_offline(True)
        page.evaluate("dispatchEvent(new Event('offline'))")
        away, seconds = page.locator("[data-log-away]"), set()

        def the_seconds_go_by() -> bool:
            seconds.add(away.inner_text())
            return len(seconds) > 4

        wait_until(the_seconds_go_by, 60, "it says for how long it is disconnected")
    heard = said(page)
    who = {name.partition(" ")[0] for name in heard}
    assert {"data-log-told", "data-log-status", "live-banner"} <= who, heard
    assert not hurried(heard)
    tell("check 22", ", ".join(f"{name}: {len(all_)} times" for name, all_ in heard.items()))


def test_lines_that_nobody_answers_for_can_be_asked_for_again(
    attempt: Attempt, page: Page, open_log: Callable[..., Page]
) -> None:
    """Their connection is lost without a word, as those of a laptop that changes its network."""
    page.add_init_script("const ms = AbortSignal.timeout; AbortSignal.timeout = (n) => ms(n / 20)")
    for first in range(1, MANY, 10_000):
        write(attempt, *numbered(first, first + 9_999))
    open_log()
    eventually_in_view(page, MANY)
    lost: list[Route] = []
    page.route(
        "**/log/1?from=*", lambda route: lost.append(route) if not lost else route.continue_()
    )
    gap = page.locator(".gap")
    before = shown(page)[0]
    gap.get_by_role("button", name="load 2,000 of them").click()
    expect(gap).to_have_attribute("aria-busy", "true")
    expect(gap).not_to_have_attribute("aria-busy", "true")
    assert shown(page)[0] == before
    gap.get_by_role("button", name="load 2,000 of them").click()
    wait_until(lambda: shown(page)[0] == before - 2_000, 15, "they are loaded")
