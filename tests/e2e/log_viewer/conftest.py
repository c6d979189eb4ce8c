"""A job whose output the test writes, and somebody who reads it.

Imports of ours stand inside, because this file is read before Django is set up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

if TYPE_CHECKING:
    from jobs.models import Attempt
    from tests.support.web import WebProcess


@pytest.fixture
def attempt() -> Attempt:
    from tests.support.attempts import make_attempt

    return make_attempt()


@pytest.fixture
def context(web: WebProcess, browser: Browser, attempt: Attempt) -> Iterator[BrowserContext]:
    from tests.support.sessions import make_person, sign_in

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
