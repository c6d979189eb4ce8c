"""A person at a browser: signs in, submits a job in the form, watches its log arrive."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from playwright.sync_api import Page

from tests.support.running import ADMIN_PASSWORD, RunningGantry

LINES = 200
COUNTING = f"i=1; while [ $i -le {LINES} ]; do echo counted $i; i=$((i+1)); sleep 0.1; done"

# Notes when each counted line is first in the page, in ms since the epoch. Each line is looked
# at by itself: the number of the next one stands right behind its text.
_OBSERVE = """
() => {
  window.arrivals = {};
  const lines = document.querySelector("[data-log]");
  const look = () => {
    const at = performance.timeOrigin + performance.now();
    for (const line of lines.querySelectorAll(".l:not([data-noted]) > span")) {
      const found = /counted (\\d+)/.exec(line.textContent);
      if (!found) continue;
      line.parentElement.dataset.noted = "";
      window.arrivals[found[1]] ??= at;
    }
  };
  const changes = { childList: true, subtree: true, characterData: true };
  new MutationObserver(look).observe(lines, changes);
  look();
}
"""


@dataclass(frozen=True, slots=True)
class Watched:
    """What was seen of a job: when each line was in the page and when the engine had it,
    both in ms since the epoch, by line number from 1."""

    job: int
    started_at: float
    arrived: dict[int, float]
    written: dict[int, float]

    def lines_after(self, seconds: float) -> int:
        """How many lines were in the page so long after the program's start."""
        return sum(at <= self.started_at + 1000 * seconds for at in self.arrived.values())

    def lags(self) -> list[float]:
        """Per line, the ms from the engine to the page."""
        return sorted(at - self.written[n] for n, at in self.arrived.items())


def sign_in(page: Page, gantry: RunningGantry) -> None:
    """Sign the first admin in."""
    page.goto(gantry.url)
    page.get_by_label("Name").fill("admin")
    page.get_by_label("Password").fill(ADMIN_PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "/login" not in url)


def submit(page: Page, gantry: RunningGantry, *, name: str, script: str, **fields: str) -> int:
    """Submit a job in the form, other fields by their names; its number, with the job's page
    open."""
    page.goto(f"{gantry.url}/jobs/new")
    page.get_by_role("textbox", name="Name", exact=True).first.fill(name)
    page.get_by_label("Image", exact=True).fill("gantry/hello:latest")
    page.get_by_label("Script", exact=True).fill(script)
    for field, value in fields.items():
        page.locator(f"[name={field}]").fill(value)
    page.get_by_role("button", name=re.compile("Run and follow")).first.click()
    page.wait_for_url(re.compile(r"/jobs/\d+"))
    return int(page.url.rstrip("/").rsplit("/", 1)[-1])


def watch_counting(page: Page, gantry: RunningGantry) -> Watched:
    """Submit a job of 200 numbered lines over 20 s and watch it to its end."""
    job = submit(page, gantry, name="counting", script=COUNTING)
    page.evaluate(_OBSERVE)
    page.get_by_text("Completed", exact=True).first.wait_for(timeout=60_000)
    page.wait_for_function(f"() => Object.keys(window.arrivals).length >= {LINES}", timeout=10_000)
    arrived = {int(n): float(at) for n, at in page.evaluate("() => window.arrivals").items()}
    told = _json(page, f"{gantry.url}/api/v1/jobs/{job}")
    rows = page.request.get(f"{gantry.url}/api/v1/jobs/{job}/logs?format=ndjson").text()
    written = {}
    for line in rows.splitlines():
        row = _parsed(line)
        number = re.search(r"counted (\d+)", str(row["text"]))
        assert number, row
        written[int(number[1])] = _ms(str(row["time"]))
    return Watched(job, _ms(told["started_at"]), arrived, written)


def _json(page: Page, url: str) -> Any:
    return page.request.get(url).json()


def _parsed(line: str) -> dict[str, Any]:
    return dict(json.loads(line))


def _ms(stamp: str) -> float:
    return datetime.fromisoformat(stamp).timestamp() * 1000
