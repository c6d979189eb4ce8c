"""The queue and the activity in a real browser: live, without jumping, by hand and by key."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from jobs.models import Job
from jobs.services import job_cancel, job_submit
from projects.actor import Actor
from tests.support.browsers import Opens
from tests.support.builders import make_project, make_spec

pytestmark = [pytest.mark.browser, pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

SOON = 20_000


def live(page: Page, address: str) -> Page:
    """A page with its socket open."""
    page.goto(address)
    expect(page.locator("[data-live-status]")).to_have_text("Live")
    return page


def rows(page: Page) -> list[str]:
    return [row.get_attribute("id") or "" for row in page.locator(".heldrows tbody tr").all()]


def test_the_queue_moves_by_itself_but_not_under_the_reader(opens: Opens, actor: Actor) -> None:
    jobs = [job_submit(actor, data=make_spec(name=f"load-{n}"))[0] for n in range(5)]
    page = live(opens().new_page(), "/queue")
    job_cancel(actor, job_id=jobs[0].pk)
    expect(page.locator(f"#waiting-{jobs[0].pk}")).to_have_count(0, timeout=SOON)
    expect(page.locator("#queue-head")).to_contain_text("4 wait: 4 for the next look")
    page.get_by_role("link", name="load-2", exact=True).focus()
    before, top = rows(page), page.locator(f"#waiting-{jobs[2].pk}").bounding_box()
    job_cancel(actor, job_id=jobs[1].pk)
    urgent, _ = job_submit(actor, data=make_spec(name="urgent", priority=90))
    pill = page.locator("[data-arrived]")
    expect(pill).to_have_text("1 new, 1 gone", timeout=SOON)
    expect(page.locator(f"#waiting-{jobs[1].pk}")).to_contain_text("Cancelled by ada")
    assert rows(page) == before
    assert page.locator(f"#waiting-{jobs[2].pk}").bounding_box() == top
    expect(page.get_by_role("link", name="load-2", exact=True)).to_be_focused()
    pill.click()
    expect(page.locator(".heldrows tbody tr").first).to_have_id(f"waiting-{urgent.pk}")
    expect(pill).to_have_count(0)


def test_a_held_job_is_released_and_another_cancelled_in_the_queue(
    opens: Opens, actor: Actor
) -> None:
    held, _ = job_submit(actor, data=make_spec(name="nightly", hold=True))
    other, _ = job_submit(actor, data=make_spec(name="load"))
    page = live(opens().new_page(), "/queue")
    expect(page.locator("#queue-head")).to_contain_text("1 for the next look, 1 held")
    page.get_by_role("button", name=f"Release nightly {held.pk}").click()
    expect(page.locator(".notes")).to_contain_text("nightly")
    # its wait begins with its release: it comes behind the other
    expect(page.locator(f"#waiting-{held.pk} .place")).to_have_text("2", timeout=SOON)
    page.get_by_role("link", name=f"Cancel load {other.pk}").click()
    page.get_by_role("button", name="Cancel 1 job").click()
    expect(page.locator("[data-said]")).to_have_text("1 cancelled. Show the job")
    expect(page.locator(f"#waiting-{other.pk}")).to_have_class("gone", timeout=SOON)
    assert Job.objects.get(pk=other.pk).state == "cancelled"


def test_selected_jobs_of_the_queue_are_given_a_priority_and_stay_selected_until_then(
    opens: Opens, actor: Actor
) -> None:
    jobs = [job_submit(actor, data=make_spec(name=f"load-{n}"))[0] for n in range(3)]
    page = live(opens().new_page(), "/queue")
    for job in jobs[:2]:
        page.get_by_role("checkbox", name=f"Select {job.name} {job.pk}").check()
    job_cancel(actor, job_id=jobs[2].pk)  # the list is fetched anew
    expect(page.locator(f"#waiting-{jobs[2].pk}")).to_have_class("gone", timeout=SOON)
    expect(page.locator("[data-selected]")).to_have_text("2 selected")
    page.get_by_role("button", name="Priority").click()
    dialog = page.get_by_role("dialog")
    field = dialog.get_by_label("Priority")
    expect(field).to_be_focused()
    field.fill("lots")
    field.press("Enter")
    expect(dialog.get_by_role("alert")).to_have_text("Send a whole number.")
    expect(field).to_have_value("lots")
    field.fill("80")
    field.press("Enter")
    expect(page.locator("[data-said]")).to_have_text("2 have the new priority. Show the jobs")
    expect(page.locator(f"#waiting-{jobs[0].pk} .c-i")).to_have_text("80", timeout=SOON)
    expect(page.locator("#queue-rows .pick input:checked")).to_have_count(0)
    assert {Job.objects.get(pk=job.pk).priority for job in jobs[:2]} == {80}


def test_without_javascript_the_queue_is_filtered_and_a_job_released(
    opens: Opens, actor: Actor
) -> None:
    make_project("etl")
    held, _ = job_submit(actor, data=make_spec(name="nightly", hold=True, project="etl"))
    job_submit(actor, data=make_spec(name="load"))
    page = opens(java_script_enabled=False).new_page()
    page.goto("/queue")
    page.get_by_label("Project", exact=True).select_option("etl")
    page.get_by_role("button", name="Show").click()
    assert rows(page) == [f"waiting-{held.pk}"]
    page.get_by_role("button", name=f"Release nightly {held.pk}").click()
    expect(page.locator(".notes")).to_contain_text("is released and in the queue")
    expect(page.get_by_label("Project", exact=True)).to_have_value("etl")
    expect(page.locator(".place")).to_have_text("2")  # it came to the line after the other


def test_new_activity_waits_in_a_pill_and_the_filter_becomes_a_file(
    opens: Opens, actor: Actor, tmp_path: Path
) -> None:
    for n in range(25):
        job_submit(actor, data=make_spec(name=f"load-{n}"))
    page = live(opens().new_page(), "/activity")
    before = rows(page)
    page.evaluate("scrollTo(0, 300)")
    for n in range(3):
        job_submit(actor, data=make_spec(name=f"new-{n}"))
    pill = page.locator("[data-arrived]")
    expect(pill).to_have_text("3 new", timeout=SOON)
    assert rows(page) == before
    pill.click()
    expect(page.locator(".heldrows tbody tr").first).to_contain_text("new-2")
    expect(pill).to_have_count(0)
    page.get_by_label("To which").fill(f"job:{Job.objects.get(name='new-1').pk}")
    page.keyboard.press("Enter")
    expect(page.locator(".heldrows tbody tr")).to_have_count(1)
    page.get_by_text("Export").click()
    with page.expect_download() as waiting:
        page.get_by_role("link", name="JSON").click()
    waiting.value.save_as(tmp_path / "activity.json")
    found = json.loads((tmp_path / "activity.json").read_text())
    assert [item["type"] for item in found["items"]] == ["job.submitted"]
