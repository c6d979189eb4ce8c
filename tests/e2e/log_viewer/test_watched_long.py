"""The checks of the log viewer that take long: a flood, an outage, 50,000 lines.

Run by `make test-ui-long`, which prints the figures; asserted are counts and positions, and of
times that they are not far off: a busy machine is slow.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from jobs.models import Attempt
from tests.support.figures import tell
from tests.support.log_page import (
    eventually_in_view,
    eventually_shown,
    flood,
    numbered,
    opened_ms,
    scroll,
    shown,
    write,
)
from tests.support.waiting import wait_until

pytestmark = [
    pytest.mark.browser,
    pytest.mark.e2e,
    pytest.mark.ui_long,
    pytest.mark.django_db(transaction=True),
]
OPEN_MS, TASK_MS, WRAP_MS = 2_000, 200, 200
BANNER_MS, HEALED_MS = 5_000, 5_000
LONG_TASKS = """
  const tasks = [], keep = (list) => tasks.push(...list.map((entry) => entry.duration));
  const observer = new PerformanceObserver((list) => keep(list.getEntries()));
  observer.observe({ type: "longtask", buffered: true });
  window.longestTask = () => {
    keep(observer.takeRecords());
    return Math.max(0, ...tasks.splice(0));
  };
"""
"""`longestTask()` is the longest since it was last asked; what is below 50 ms counts as none."""
PRESS_WRAP = """async () => {
  const box = document.querySelector("[data-log-lines]"), began = performance.now();
  document.querySelector("[data-log-pref=wrap]").click();
  void box.scrollHeight;
  await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
  return performance.now() - began;
}"""


def test_check_4_a_flood_does_not_move_the_reader(
    attempt: Attempt, open_log: Callable[..., Page]
) -> None:
    write(attempt, *numbered(1, 500))
    page = open_log()
    eventually_shown(page, list(range(1, 501)))
    with flood(attempt, 501) as written:
        wait_until(lambda: shown(page)[-1] > 600, 30, "it follows")
        page.locator("[data-log-lines]").hover()
        page.mouse.wheel(0, -500)
        wait_until(lambda: scroll(page)["left"] > 400, 20, "the wheel has scrolled")
        before, since = scroll(page)["top"], written()
        moved: list[float] = []

        def ten_seconds_of_it() -> bool:
            moved.append(abs(scroll(page)["top"] - before))
            return written() >= since + 2_000

        wait_until(ten_seconds_of_it, 120, "ten seconds of 200 lines each")
        pill = page.locator("[data-log-new]").inner_text()
        tell("check 4", f"moved {max(moved):g} px during {written() - since} lines; pill: {pill}")
        assert max(moved) <= 1
        assert "new lines — jump to end" in pill
        page.keyboard.press("End")
        last = written()
        wait_until(lambda: shown(page)[-1] > last + 100, 60, "new lines come")
        wait_until(lambda: scroll(page)["left"] < 2, 20, "End follows again")
        expect(page.locator("[data-log-status]")).to_have_text("Following")
    assert shown(page)[:last] == list(range(1, last + 1))


def test_check_5_fifty_thousand_lines_are_on_the_page_and_it_stays_quick(
    attempt: Attempt, context: BrowserContext, open_log: Callable[..., Page]
) -> None:
    text = b"INFO copy eu-west 2026-11-22T00 to stage.orders, 450,215 rows in 3.8 s"
    write(attempt, *(b"%s %d\n" % (text, n) for n in range(1, 50_001)))
    context.add_init_script(LONG_TASKS)
    page = open_log()
    interactive = opened_ms(page, 50_000)
    lines = "document.getElementsByClassName('l').length"
    wait_until(lambda: page.evaluate(lines) == 50_000, 300, "all lines are on the page")
    loaded = page.evaluate("performance.now()")
    tasks = {"while loading": longest_task(page)}
    assert page.evaluate(
        "[...document.querySelectorAll('.l')].every((l, i) => l.id === `L${i + 1}`)"
    )
    longest_task(page)
    wrapped = max(page.evaluate(PRESS_WRAP) for _ in range(4))
    tasks["at wrapping"] = longest_task(page)
    # Not by a locator: one looks at every element of the page, which is a long task itself.
    page.evaluate("document.querySelector('[data-log-lines]').focus()")
    page.keyboard.press("Home")
    eventually_in_view(page, 1)
    page.keyboard.press("End")
    eventually_in_view(page, 50_000)
    tasks["at jumping"] = longest_task(page)
    write(attempt, *numbered(50_001, 50_200))
    eventually_in_view(page, 50_200)
    wait_until(lambda: page.evaluate(lines) <= 50_000, 60, "the document is trimmed")
    tasks["at trimming"] = longest_task(page)
    expect(page.locator(".gap")).to_contain_text("200 lines are not shown here")
    told = ", ".join(f"{ms:.0f} ms {when}" for when, ms in tasks.items())
    tell(
        "check 5",
        f"newest line in view after {interactive:.0f} ms (wanted: {OPEN_MS:,}), all after"
        f" {loaded:.0f}; longest task {told} (wanted: {TASK_MS}); wrap takes {wrapped:.0f} ms"
        f" (wanted: {WRAP_MS})",
    )
    assert interactive < 3 * OPEN_MS
    assert max(tasks.values()) < 3 * TASK_MS
    assert wrapped < 3 * WRAP_MS


def longest_task(page: Page) -> float:
    """In ms, since it was last asked."""
    found: float = page.evaluate("longestTask()")
    return found


def test_check_12_an_outage_costs_no_line_and_doubles_none(
    attempt: Attempt, context: BrowserContext, open_log: Callable[..., Page]
) -> None:
    write(attempt, *numbered(1, 100))
    page = open_log()
    eventually_shown(page, list(range(1, 101)))
    clock = "performance.now()"
    with flood(attempt, 101, per_tick=2) as written:
        wait_until(lambda: shown(page)[-1] > 120, 30, "lines come")
        context.set_offline(True)
        # The suite's browser lives in a network of its own and takes itself for offline from
        # the start, so that it does not tell the page of the change; any other does.
        page.evaluate("dispatchEvent(new Event('offline'))")
        cut = page.evaluate(clock)
        expect(page.locator("#live-banner")).to_contain_text("reconnecting", timeout=60_000)
        banner = page.evaluate(clock) - cut
        expect(page.locator("html")).to_have_attribute("data-stale", "", timeout=60_000)
        expect(page.locator("[data-log-status]")).to_contain_text("Disconnected")
        stale = page.evaluate(clock) - cut
        wait_until(lambda: page.evaluate(clock) - cut > 20_000, 60, "twenty seconds without")
        context.set_offline(False)
        page.evaluate("dispatchEvent(new Event('online'))")
        back, missed = page.evaluate(clock), written()
        wait_until(lambda: shown(page)[-1] >= missed, 60, "what was missed is here")
        healed = page.evaluate(clock) - back
    eventually_shown(page, list(range(1, written() + 1)), 30)
    expect(page.locator("html[data-stale]")).to_have_count(0)
    tell(
        "check 12",
        f"banner after {banner:.0f} ms, grey after {stale:.0f} ms;"
        f" whole {healed:.0f} ms after the network was back, no line lost or doubled",
    )
    assert banner < 3 * BANNER_MS
    assert healed < 3 * HEALED_MS
