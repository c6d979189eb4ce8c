"""The product's promise: submit in the browser, watch it run in a container, line by line and
with what it uses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.figures import tell
from tests.support.running import RunningGantry, running_gantry
from tests.support.watching import LINES, sign_in, submit, watch_counting

pytestmark = [pytest.mark.e2e, pytest.mark.docker, pytest.mark.browser]

# 16 MiB in a variable of the shell, and one core at work.
BUSY = """
x=0123456789abcdef; i=0
while [ $i -lt 20 ]; do x=$x$x; i=$((i+1)); done
while :; do :; done
"""
MIB = 2**20
PATIENCE_MS = 60_000


@pytest.fixture(scope="module")
def gantry(docker_image: str) -> Iterator[RunningGantry]:
    """A running one for both jobs."""
    with running_gantry() as gantry:
        gantry.start()
        yield gantry


@pytest.fixture
def seen(browser: Browser, gantry: RunningGantry) -> Iterator[Page]:
    """A page of somebody who has signed in to it; no error may come up in it."""
    errors: list[str] = []
    with browser.new_context(viewport={"width": 1440, "height": 1000}) as context:
        page = context.new_page()
        page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        sign_in(page, gantry)
        yield page
    assert errors == []


def test_a_job_of_the_form_is_watched_live_line_by_line_to_its_end(
    seen: Page, gantry: RunningGantry
) -> None:
    watched = watch_counting(seen, gantry)
    assert sorted(watched.arrived) == sorted(watched.written) == list(range(1, LINES + 1))
    assert 80 <= watched.lines_after(10) <= 120


def test_a_job_shows_its_cpu_and_memory_against_the_limits_while_it_runs(
    seen: Page, gantry: RunningGantry
) -> None:
    job = submit(seen, gantry, name="busy", script=BUSY, cpu_cores="0.25", memory="64")
    _watch(seen, gantry, job)


def _watch(page: Page, gantry: RunningGantry, job: int) -> None:
    use = page.locator("#job-use")
    expect(use).to_contain_text("of 64 MiB memory", timeout=PATIENCE_MS)
    expect(use).to_contain_text("of 0.25 CPU")
    expect(page.locator("#job-waiting")).to_be_hidden()
    for key in ("memory", "cpu"):
        expect(page.locator(f"#plot-{key} .line")).to_be_attached()
    before = page.locator("#plot-memory .line").get_attribute("d")
    page.wait_for_function(
        "() => JSON.parse(document.getElementById('job-use').dataset.series).at.length > 2",
        timeout=PATIENCE_MS,
    )
    expect(page.locator("#plot-memory .line")).not_to_have_attribute("d", before or "")
    told = _stats(page, gantry, job)
    assert told["limits"] == {"cpu_cores": 0.25, "memory_bytes": 64 * MIB}
    assert all(16 * MIB < one["memory_bytes"] < 64 * MIB for one in told["items"])
    assert all(0.05 < one["cpu_cores"] < 1.5 for one in told["items"])
    started = page.request.get(f"{gantry.url}/api/v1/jobs/{job}").json()["started_at"]
    first = _between(started, told["items"][0]["at"])
    spans = [_between(a["at"], b["at"]) for a, b in pairwise(told["items"])]
    tell("stats", f"first reading {first:.1f} s after the start, then each {max(spans):.1f} s")

    page.get_by_role("button", name="Cancel").click()
    expect(page.locator(".badge")).to_have_text("Cancelled", timeout=PATIENCE_MS)
    expect(use).to_contain_text("at its peak", timeout=PATIENCE_MS)
    told = _stats(page, gantry, job)
    highest = max(one["memory_bytes"] for one in told["items"])
    assert abs(told["use"]["memory_bytes_peak"] - highest) < 1024


def _stats(page: Page, gantry: RunningGantry, job: int) -> dict[str, Any]:
    text = page.request.get(f"{gantry.url}/api/v1/jobs/{job}/stats?attempt=1").text()
    return dict(json.loads(text))


def _between(start: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
