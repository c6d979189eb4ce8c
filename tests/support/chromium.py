"""The suite's browser: Debian's Chromium, driven by playwright."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes.util import find_library
from pathlib import Path

from playwright.sync_api import Browser, expect, sync_playwright

from orchestrator.local import apt

PROGRAM = Path("/usr/bin/chromium")
DEADLINE_MS = 20_000
"""A page is waited for so long: a machine that runs the whole suite is slow at times."""


def chromium_program() -> Path:
    """Where Chromium is, installed first if need be and we are root."""
    if find_library("atomic") is None and apt.can_install():
        apt.install(["libatomic1"], print)  # playwright's own driver needs it
    if PROGRAM.exists():
        return PROGRAM
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found:
        return Path(found)
    if not apt.can_install():
        raise AssertionError("the tests need Chromium: sudo apt-get install chromium")
    apt.install(["chromium"], print)
    return PROGRAM


@contextmanager
def open_browser() -> Iterator[Browser]:
    """A headless browser. Chromium's own sandbox refuses to work for root."""
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    # Playwright's synchronous interface runs an event loop in this thread, which Django
    # takes for asynchronous code; the tests use the database from it all the same.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    expect.set_options(timeout=DEADLINE_MS)
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=chromium_program(), args=arguments, headless=True
            )
            with browser:
                yield browser
    finally:
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]
