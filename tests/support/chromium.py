"""The suite's browser: Debian's Chromium, driven by playwright."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from ctypes.util import find_library
from pathlib import Path

from playwright.sync_api import Browser, expect, sync_playwright

from orchestrator.local import apt
from tests.support.still_network import PROXY_ARGUMENTS, still_network

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
    """A headless browser; as root in a network of its own, in which no container is noticed.
    Chromium's own sandbox refuses to work for root."""
    root = os.geteuid() == 0
    arguments = ["--no-sandbox", *PROXY_ARGUMENTS] if root else []
    program = chromium_program()
    # Playwright's synchronous interface runs an event loop in this thread, which Django
    # takes for asynchronous code; the tests use the database from it all the same.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    expect.set_options(timeout=DEADLINE_MS)
    try:
        with (
            tempfile.TemporaryDirectory(prefix="gantry-browser-") as folder,
            still_network(program) if root else nullcontext(program) as executable,
            sync_playwright() as playwright,
            playwright.chromium.launch(
                executable_path=executable,
                args=arguments,
                headless=True,
                env={**os.environ, "TMPDIR": folder},  # what it leaves behind goes with it
            ) as browser,
        ):
            yield browser
    finally:
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]
