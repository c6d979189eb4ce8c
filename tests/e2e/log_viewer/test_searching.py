"""Searching a log in a real browser: exact over the whole log, and the way through it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from jobs.models import Attempt
from providers.driver import Stream
from tests.support.figures import tell
from tests.support.log_page import eventually_in_view, eventually_shown, numbered, write
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.browser, pytest.mark.e2e, pytest.mark.django_db(transaction=True)]
MANY = 51_000
MARKED = """() => [...CSS.highlights.get("log-hit") ?? [], ...CSS.highlights.get("log-on") ?? []]
  .map((range) => range.startContainer.data.slice(range.startOffset, range.endOffset))"""


def eventually_says(page: Page, hook: str, words: str, seconds: float = 60) -> None:
    """Asks the page itself, as tests/support/log_page.py does: it may have many lines."""
    script = f"document.querySelector('[data-log-{hook}]').textContent"
    wait_until(lambda: page.evaluate(script) == words, seconds, f"{hook} says {words!r}")


def test_check_9_search_is_exact_walks_in_a_circle_and_says_what_it_covers(
    attempt: Attempt, open_log: Callable[..., Page]
) -> None:
    many = numbered(1, MANY)
    write(attempt, *many)
    page = open_log()
    eventually_in_view(page, MANY)
    page.keyboard.press("/")
    page.keyboard.type(r"/line \d*477$/")
    count = sum(bool(re.search(rb"line \d*477$", line)) for line in many)
    eventually_says(page, "scope", f"searched all {MANY:,} lines, the first 4 KiB of each")
    eventually_says(page, "matches", f"{count} matches")
    tell("check 9", f"{count} of {count} matches, as grep -c counts")
    assert page.evaluate("document.getElementById('L477')") is None, "not on the page, but found"
    page.keyboard.press("Shift+Enter")
    eventually_says(page, "matches", f"match {count} of {count}")
    page.keyboard.press("Enter")
    eventually_says(page, "matches", f"match 1 of {count}")
    eventually_in_view(page, 477)
    wait_until(lambda: "line 477" in page.evaluate(MARKED), 10, "it is marked")
    page.evaluate("document.querySelector('[data-log-lines]').focus()")
    page.keyboard.press("n")
    eventually_says(page, "matches", f"match 2 of {count}")
    page.keyboard.press("Shift+N")
    page.keyboard.press("Shift+N")
    eventually_says(page, "matches", f"match {count} of {count}")


def test_check_9_only_matches_with_three_lines_around_them(
    attempt: Attempt, open_log: Callable[..., Page]
) -> None:
    write(attempt, *numbered(1, 600))
    page = open_log()
    eventually_in_view(page, 600)
    field, matches = page.locator("[data-log-find]"), page.locator("[data-log-matches]")
    field.fill(r"/line \d*77$/")
    expect(matches).to_have_text("6 matches")
    page.locator("[data-log-only]").check(force=True)
    excerpt = page.locator("[data-log-excerpt]")
    numbers = "e => [...e.querySelectorAll('.l')].map((l) => Number(l.dataset.n))"
    expected = [n for hit in range(77, 600, 100) for n in range(hit - 3, hit + 4)]
    wait_until(lambda: excerpt.evaluate(numbers) == expected, 20, "matches, three lines around")
    excerpt.locator("[data-n='177'] > a").click()
    expect(excerpt).to_be_hidden()
    eventually_in_view(page, 177)

    field.fill("/(/")
    expect(matches).to_have_text("missing ): (")
    expect(field).to_have_attribute("aria-invalid", "true")
    field.fill("no such thing")
    expect(matches).to_have_text("no match")


def test_case_and_stream_narrow_the_search_and_new_lines_are_counted(
    attempt: Attempt, open_log: Callable[..., Page]
) -> None:
    write(attempt, b"Needle\n", b"needle\n")
    write(attempt, b"needle too\n", stream=Stream.STDERR)
    page = open_log()
    eventually_shown(page, [1, 2, 3])
    field, matches = page.locator("[data-log-find]"), page.locator("[data-log-matches]")
    field.fill("needle")
    expect(matches).to_have_text("3 matches")
    page.locator("[data-log-pref=case]").check(force=True)
    expect(matches).to_have_text("2 matches")
    page.get_by_role("button", name="View").click()
    page.get_by_text("stderr", exact=True).click()
    expect(matches).to_have_text("1 match")
    expect(page.locator("[data-log-scope]")).to_have_text("searched stderr of all 3 lines")
    assert not page.locator("#L2").is_visible()
    write(attempt, b"another needle\n", stream=Stream.STDERR)
    expect(matches).to_have_text("2 matches")
    page.keyboard.press("Escape")
    field.press("Escape")
    expect(field).to_have_value("")
    expect(matches).to_have_text("")


def test_a_search_that_is_given_up_before_its_answer_does_nothing_more(
    attempt: Attempt, open_log: Callable[..., Page], complaints: list[str]
) -> None:
    write(attempt, *numbered(1, 100))
    page = open_log()
    page.route("**/search?*", lambda route: None)
    with page.expect_request("**/search?*"):
        page.locator("[data-log-find]").fill("line")
    page.keyboard.press("Escape")
    expect(page.locator("[data-log-matches]")).to_have_text("")
    page.evaluate("() => new Promise(requestAnimationFrame)")
    assert complaints == []
