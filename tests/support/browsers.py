"""Browsers in which somebody has signed in to a real web process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.contrib.auth.models import User
from playwright.sync_api import Browser, BrowserContext, Page

from projects.actor import Actor
from tests.support.sessions import sign_in
from tests.support.web import WebProcess

Opens = Callable[..., BrowserContext]
"""Makes a browser: `width`, `height`, and what Browser.new_context takes."""

WATCH_POLICY = """
  window.refused = [];
  addEventListener("securitypolicyviolation", (event) => {
    window.refused.push(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`);
  });
"""

_WIDTH = """
  () => new Promise((told) => requestAnimationFrame(() => requestAnimationFrame(
    () => told(document.documentElement.scrollWidth))))
"""


def width_in(page: Page, width: int, height: int) -> int:
    """How wide an open page is once its window has this size: more than `width` scrolls
    sideways. No script of ours looks at the width once only, so it need not be loaded anew."""
    page.set_viewport_size({"width": width, "height": height})
    return int(page.evaluate(_WIDTH))


@contextmanager
def browsers_of(web: WebProcess, browser: Browser, actor: Actor) -> Iterator[Opens]:
    """Makes browsers in which this person has signed in; none may have an error.

    What the content policy refused in a page is its `window.refused`.
    """
    made: list[BrowserContext] = []
    wrong: list[str] = []

    def opened(*, width: int = 1280, height: int = 800, **options: object) -> BrowserContext:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            base_url=web.url,
            **options,  # type: ignore[arg-type]
        )
        key = sign_in(User.objects.get(username=actor.name))
        context.add_cookies([{"name": web.cookie, "value": key, "url": web.url}])
        context.add_init_script(WATCH_POLICY)
        context.on("weberror", lambda error: wrong.append(str(error.error)))
        made.append(context)
        return context

    yield opened
    for context in made:
        context.close()
    assert wrong == []
