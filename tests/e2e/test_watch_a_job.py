"""The product's promise in one test: submit in the browser, watch it run in a container."""

from __future__ import annotations

import pytest

from tests.support.chromium import open_browser
from tests.support.running import running_gantry
from tests.support.watching import LINES, sign_in, watch_counting

pytestmark = [pytest.mark.e2e, pytest.mark.docker, pytest.mark.browser]


@pytest.mark.usefixtures("docker_image")
def test_a_job_of_the_form_is_watched_live_line_by_line_to_its_end() -> None:
    with running_gantry() as gantry, open_browser() as browser:
        gantry.start()
        page = browser.new_page(viewport={"width": 1440, "height": 1000})
        errors: list[str] = []
        page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        sign_in(page, gantry)
        watched = watch_counting(page, gantry)
    assert sorted(watched.arrived) == sorted(watched.written) == list(range(1, LINES + 1))
    assert 80 <= watched.lines_after(10) <= 120
    assert errors == []
