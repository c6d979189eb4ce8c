"""What the palette finds: by number and by name, within what the person may see, at one price."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from projects.models import Project
from tests.support.builders import make_job, make_project, make_provider, make_user
from tests.support.pages import signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project("etl")


@pytest.fixture
def browser(project: Project) -> Client:
    return signed_in(make_user("ada", project=project))


def found(browser: Client, typed: str) -> list[dict[str, Any]]:
    response = browser.get("/_/palette", {"q": typed})
    assert response.status_code == 200
    assert "private" in response["Cache-Control"]
    return list(response.json()["items"])


def test_a_job_is_found_by_its_number_its_beginning_and_its_words(
    browser: Client, project: Project
) -> None:
    job = make_job(project=project, name="orders-daily-load", state="failed")
    make_job(project=project, name="lint")
    expected = {
        "kind": "job",
        "words": "orders-daily-load",
        "small": f"{job.pk} · etl",
        "state": "failed",
        "url": f"/jobs/{job.pk}",
    }
    for typed in (str(job.pk), f"#{job.pk}", "orders-d", "daily load", " load "):
        assert found(browser, typed) == [expected], typed


def test_a_provider_is_found_by_any_part_of_its_name(browser: Client) -> None:
    provider = make_provider("node-frankfurt-1")
    assert [item["url"] for item in found(browser, "FRANK")] == [f"/providers/{provider.pk}"]


def test_what_a_person_may_not_see_is_not_found(browser: Client) -> None:
    job = make_job(project=make_project("secret"), name="nightly")
    make_provider("node-1")
    assert found(browser, "nightly") == []
    assert found(browser, str(job.pk)) == []
    nobody = signed_in(make_user("eve"))
    assert found(nobody, "node") == []


@pytest.mark.parametrize("typed", ["", " ", "\0", "x" * 5000, "9" * 40, '"', "-", "%", "state:"])
def test_whatever_is_typed_is_answered(browser: Client, project: Project, typed: str) -> None:
    make_job(project=project, name="nightly")
    assert found(browser, typed) == []


def test_the_answer_is_bounded_and_costs_the_same_for_many(
    browser: Client, project: Project
) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            found(browser, "nightly")
        return len(captured)

    make_job(project=project, name="nightly-1")
    make_provider("nightly-1")
    few = queries()
    newest = [make_job(project=project, name=f"nightly-{n}").pk for n in range(2, 12)]
    for n in range(2, 9):
        make_provider(f"nightly-{n}")
    assert queries() == few
    items = found(browser, "nightly")
    assert [item["url"] for item in items if item["kind"] == "job"] == [
        f"/jobs/{pk}" for pk in newest[:3:-1]
    ]
    assert len(items) == 10
