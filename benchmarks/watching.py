"""How long a line takes from the engine into a browser's page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import quantiles

from benchmarks.intervals import Estimate, estimate
from tests.support.chromium import open_browser
from tests.support.running import RunningGantry
from tests.support.watching import Watched, sign_in, watch_counting

MOST_LAG_MS = 500.0
HALF_WAY_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Watching:
    """Jobs of 200 lines over 20 s, each watched to its end: the lags of all lines in ms,
    p95 per job, and how many lines were in the page half-way."""

    p50: Estimate
    p95: Estimate
    half_way: Sequence[int]


def watch_jobs(gantry: RunningGantry, jobs: int) -> Watching:
    """Submit that many in the form, one after the other, and watch them."""
    with open_browser() as browser:
        page = browser.new_page(viewport={"width": 1440, "height": 1000})
        sign_in(page, gantry)
        watched = [watch_counting(page, gantry) for _ in range(jobs)]
    return Watching(
        p50=estimate([_quantile(each, 50) for each in watched]),
        p95=estimate([_quantile(each, 95) for each in watched]),
        half_way=[each.lines_after(HALF_WAY_SECONDS) for each in watched],
    )


def _quantile(watched: Watched, percent: int) -> float:
    return quantiles(watched.lags(), n=100, method="inclusive")[percent - 1]
