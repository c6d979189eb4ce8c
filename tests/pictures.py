"""`python -m tests.pictures URL FOLDER`: pictures of the pages of a running demonstration.

Signs in as `admin` with the password in GANTRY_ADMIN_PASSWORD, and finds jobs by their names
(docs/demo.md). Those of the tour are made so: docs/tour.md.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page

from tests.support.chromium import open_browser

DESK, PHONE = (1440, 900), (375, 812)


@dataclass(frozen=True, slots=True)
class Picture:
    """One page as a person sees it. `job` is the name of the job whose page it is, `press` a
    key to press first."""

    name: str
    path: str = ""
    job: str = ""
    press: str = ""


PICTURES: Sequence[Picture] = (
    Picture("home", "/"),
    Picture("jobs", "/jobs"),
    Picture("jobs-failed", "/jobs?q=state:failed"),
    Picture("jobs-none", "/jobs?q=zzz"),
    Picture("job-running", job="train-ranker"),
    Picture("job-groups", job="nightly-etl"),
    Picture("job-failed", job="churn-features"),
    Picture("job-oom", job="render-tiles"),
    Picture("job-127", job="publish-handbook"),
    Picture("job-timeout", job="wait-for-replica"),
    Picture("job-image", job="scrape-prices"),
    Picture("job-lost", job="sync-fleet-positions"),
    Picture("job-cancelled", job="backfill-2019"),
    Picture("job-retried", job="pull-fx-rates"),
    Picture("job-completed", job="check-backups"),
    Picture("job-waiting", job="sweep-lr-0.24"),
    Picture("job-too-large", job="embed-corpus"),
    Picture("job-held", job="release-notes"),
    Picture("job-backoff", job="merge-feeds"),
    Picture("job-unseen", job="ingest-meters"),
    Picture("new-job", "/jobs/new"),
    Picture("queue", "/queue"),
    Picture("projects", "/projects"),
    Picture("project", "/projects/ranking"),
    Picture("project-edit", "/projects/ranking/edit"),
    Picture("providers", "/providers"),
    Picture("add-provider", "/providers/new"),
    Picture("add-docker", "/providers/new?kind=docker"),
    Picture("activity", "/activity"),
    Picture("settings", "/settings"),
    Picture("left-overs", "/left-overs"),
    Picture("palette", "/jobs", press="Control+k"),
    Picture("shortcuts", "/jobs", press="?"),
    Picture("not-found", "/jobs/99999999"),
    Picture("api", "/api/v1/docs"),
    Picture("admin-jobs", "/admin/jobs/job/"),
)
PROVIDERS = ("gpu-1", "edge-berlin", "local")


def main() -> None:
    """Make them all, or those that are named."""
    asked = _arguments()
    asked.folder.mkdir(parents=True, exist_ok=True)
    with open_browser() as browser:
        for scheme in asked.themes.split(","):
            for size in (DESK, PHONE) if asked.phone else (DESK,):
                with _signed_in(browser, asked.url, scheme, size) as page:
                    _take(page, asked, f"{scheme}{'-phone' if size == PHONE else ''}")
        with browser.new_context(viewport={"width": 1440, "height": 900}) as context:
            page = context.new_page()
            page.goto(f"{asked.url}/login")
            page.screenshot(path=asked.folder / "login-light.png")


def _take(page: Page, asked: argparse.Namespace, suffix: str) -> None:
    wanted = set(filter(None, asked.only.split(",")))
    for picture in [*PICTURES, *_provider_pictures(page, asked.url)]:
        if wanted and picture.name not in wanted:
            continue
        page.goto(asked.url + (picture.path or _page_of(page, asked.url, picture.job)))
        page.wait_for_load_state("networkidle")
        if picture.press:
            page.keyboard.press(picture.press)
        file = asked.folder / f"{picture.name}-{suffix}.png"
        page.screenshot(path=file, full_page=asked.whole, animations="disabled")


def _page_of(page: Page, url: str, name: str) -> str:
    """The newest job of that name that runs, or else the newest."""
    listed = page.request.get(f"{url}/api/v1/jobs?q={name}&limit=20").json()["items"]
    found = [job for job in listed if job["name"] == name]
    running = [job for job in found if job["state"] == "running"]
    assert found, f"no job is called {name}"
    return f"/jobs/{(running or found)[0]['id']}"


def _provider_pictures(page: Page, url: str) -> Iterator[Picture]:
    for provider in page.request.get(f"{url}/api/v1/providers").json()["items"]:
        if provider["name"] in PROVIDERS:
            yield Picture(f"provider-{provider['name']}", f"/providers/{provider['id']}")


@contextmanager
def _signed_in(browser: Browser, url: str, scheme: str, size: tuple[int, int]) -> Iterator[Page]:
    with browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if scheme == "dark" else "light",
        timezone_id="Europe/Berlin",
    ) as context:
        page = context.new_page()
        page.goto(f"{url}/login")
        page.get_by_label(re.compile("Name")).fill("admin")
        page.get_by_label("Password").fill(os.environ["GANTRY_ADMIN_PASSWORD"])
        page.keyboard.press("Enter")
        page.wait_for_url(lambda address: "/login" not in address)
        yield page


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.pictures", description=__doc__)
    parser.add_argument("url", help="of the running instance")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--themes", default="light,dark")
    parser.add_argument("--phone", action="store_true", help="also as a phone shows them")
    parser.add_argument("--whole", action="store_true", help="to the end of each page")
    parser.add_argument("--only", default="", metavar="NAME,…", help="only these")
    return parser.parse_args()


if __name__ == "__main__":
    main()
