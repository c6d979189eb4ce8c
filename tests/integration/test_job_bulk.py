"""Cancel and rerun for many jobs: the preview, the batches, and the sentence at the end."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from jobs import bulk
from jobs.bulk import preview
from jobs.bulk_words import Action, Fate, sentence
from jobs.filters import JobFilter
from jobs.models import Job
from jobs.query import Term
from jobs.states import JobState
from projects.models import Event, Project
from tests.support.builders import make_actor, make_job, make_project, make_provider, make_user
from tests.support.pages import signed_in, words_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def etl() -> Project:
    return make_project("etl")


@pytest.fixture
def browser(etl: Project) -> Client:
    """Ada, who may submit to etl and only look at ci."""
    user = make_user("ada", project=etl)
    user.memberships.create(project=make_project("ci"), role="viewer")
    return signed_in(user)


def mixed(project: Project) -> list[Job]:
    """Jobs of many states: two wait, one runs, one is being stopped, three have ended."""
    stopping: dict[str, Any] = {"cancel_requested_at": timezone.now(), "cancel_requested_by": "bob"}
    return [
        make_job(project=project),
        make_job(project=project, held=True, reason="held"),
        make_job(project=project, state="running"),
        make_job(project=project, state="running", **stopping),
        *(make_job(project=project, state=state) for state in ("completed", "failed", "cancelled")),
    ]


def fields_of(response: Any) -> dict[str, str]:
    """The hidden fields of the form on the page."""
    page = response.content.decode()
    return dict(re.findall(r'<input type="hidden"\s+name="(\w+)"\s+value="([^"]*)"', page))


def pressed(browser: Client, response: Any) -> Any:
    """The form of the page, sent as it is."""
    return browser.post("/jobs/bulk", fields_of(response))


def test_the_preview_tells_what_it_hits_and_what_it_leaves_out_and_why(
    browser: Client, etl: Project
) -> None:
    mixed(etl)
    make_job(project=make_project("ci"))
    make_job(project=make_project("secret"))
    words = words_of(browser.get("/jobs/bulk?action=cancel&all=1"))
    assert "Cancel 3 jobs?" in words
    assert "2 pending" in words
    assert "1 running" in words
    assert "Left out of 8" in words
    assert "3 had already finished" in words
    assert "1 was being stopped already" in words
    assert "1 is not yours to change" in words


def test_without_javascript_selected_jobs_are_cancelled_over_a_page_that_asks(
    browser: Client, etl: Project
) -> None:
    jobs = mixed(etl)
    selected = "&".join(f"job={job.pk}" for job in jobs)
    asked = browser.get(f"/jobs/bulk?action=cancel&q=project:etl&{selected}")
    assert Job.objects.filter(state=JobState.CANCELLED).count() == 1
    done = pressed(browser, asked)
    assert (done.status_code, done["Location"]) == (302, "/jobs?q=project%3Aetl")
    assert (
        "2 cancelled, 1 is being stopped, 3 had already finished, 1 was being stopped already."
        in words_of(browser.get("/jobs"))
    )
    events = Event.objects.filter(type__in=["job.cancelled", "job.cancel_requested"])
    assert {event.subject_id for event in events} == {job.pk for job in jobs[:3]}
    assert {(event.actor_id, event.via) for event in events} == {
        (User.objects.get(username="ada").pk, "web")
    }


def test_a_job_that_ends_after_the_preview_is_told_as_finished(
    browser: Client, etl: Project
) -> None:
    jobs = [make_job(project=etl) for _ in range(3)]
    asked = browser.get("/jobs/bulk?action=cancel&all=1&q=state:pending")
    browser.post(f"/jobs/{jobs[0].pk}/cancel")
    late = make_job(project=etl)
    pressed(browser, asked)
    words = words_of(browser.get("/jobs"))
    assert "2 cancelled, 1 had already finished." in words
    late.refresh_from_db()
    assert late.state == JobState.PENDING


def test_a_large_selection_goes_batch_by_batch_and_adds_up(
    browser: Client, etl: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Action, "batch", property(lambda action: 4))
    jobs = [make_job(project=etl) for _ in range(10)]
    make_job(project=etl, state="failed")
    response = browser.get("/jobs/bulk?action=cancel&all=1")
    response = pressed(browser, response)
    assert "Cancelling: 4 of 10" in words_of(response)
    assert "So far: 4 cancelled, 1 had already finished." in words_of(response)
    response = pressed(browser, response)
    response = pressed(browser, response)
    assert response.status_code == 302
    assert "10 cancelled, 1 had already finished." in words_of(browser.get("/jobs"))
    assert Job.objects.filter(pk__in=[job.pk for job in jobs], state="cancelled").count() == 10


def test_ended_jobs_run_again_once_however_often_the_form_is_sent(
    browser: Client, etl: Project
) -> None:
    jobs = mixed(etl)
    asked = browser.get("/jobs/bulk?action=rerun&all=1")
    assert "Run again 3 jobs?" in words_of(asked)
    assert "4 have not finished" in words_of(asked)
    for _ in range(2):
        pressed(browser, asked)
        words = words_of(browser.get("/jobs"))
        assert "3 submitted again, 4 have not finished. Show the new jobs" in words
    again = Job.objects.filter(rerun_of__isnull=False).values_list("rerun_of", flat=True)
    assert len(again) == 3
    assert set(again) == {job.pk for job in jobs[4:]}


def listed_behind(browser: Client, page: Any, words: str) -> set[int]:
    """The jobs of the list to which the link of these words on the page leads."""
    link = re.search(rf'href="(/jobs\?[^"]+)">{words}<', page.content.decode())
    assert link is not None
    rows = browser.get(html.unescape(link[1])).content.decode()
    return {int(number) for number in re.findall(r'id="job-(\d+)"', rows)}


def test_what_came_of_it_leads_to_just_the_jobs_it_was_about_or_to_the_new_ones(
    browser: Client, etl: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Action, "batch", property(lambda action: 2))
    jobs = [make_job(project=etl).pk for _ in range(8)]
    selected = jobs[:3] + jobs[6:]
    asked = "&".join(f"job={pk}" for pk in selected)
    for action, words in (("cancel", "Show the jobs"), ("rerun", "Show the new jobs")):
        page = browser.get(f"/jobs/bulk?action={action}&{asked}")
        while page.status_code == 200:
            page = pressed(browser, page)
        new = set(Job.objects.filter(rerun_of__isnull=False).values_list("pk", flat=True))
        shown = listed_behind(browser, browser.get("/jobs?all"), words)
        assert shown == (new if action == "rerun" else set(selected))
    assert len(new) == len(selected)


def test_one_job_is_shown_itself_and_what_made_none_leads_nowhere(
    browser: Client, etl: Project
) -> None:
    job = make_job(project=etl)
    pressed(browser, browser.get(f"/jobs/bulk?action=cancel&job={job.pk}"))
    page = browser.get("/jobs?q=state:failed").content.decode()
    assert f'href="/jobs/{job.pk}">Show the job<' in page
    browser.post("/jobs/bulk", {"action": "rerun", "ids": str(job.pk + 1)})
    words = words_of(browser.get("/jobs"))
    assert "1 is no longer there." in words
    assert "Show the" not in words


def test_jobs_of_others_are_not_touched_whatever_the_form_says(
    browser: Client, etl: Project
) -> None:
    seen, unseen = make_job(project=make_project("ci")), make_job(project=make_project("secret"))
    browser.post("/jobs/bulk", {"action": "cancel", "ids": f"{seen.pk},{unseen.pk}"})
    assert "1 is not yours to change, 1 is no longer there." in words_of(browser.get("/jobs"))
    assert set(Job.objects.values_list("state", flat=True)) == {"pending"}


def test_more_jobs_than_one_action_takes_are_told(
    etl: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "MOST", 2)
    jobs = [make_job(project=etl) for _ in range(3)]
    actor = make_actor(make_user(project=etl))
    seen = preview(actor, Action.CANCEL, JobFilter((Term("project", "etl"),)))
    assert (seen.hit, seen.more) == ((jobs[2].pk, jobs[1].pk), True)
    assert seen.total == (2, False)


def test_the_result_is_a_sentence_of_exact_numbers() -> None:
    assert (
        sentence({Fate.CANCELLED: 12, Fate.FINISHED: 3}) == "12 cancelled, 3 had already finished."
    )
    assert sentence({}) == "Nothing was changed."


@pytest.mark.parametrize("query", ["action=delete&job=1", "action=cancel&all=1&q=state:odd"])
def test_what_cannot_be_understood_is_refused(browser: Client, query: str) -> None:
    assert browser.get(f"/jobs/bulk?{query}").status_code == 400


def test_jobs_that_wait_are_held_with_a_note_over_a_page_that_asks(
    browser: Client, etl: Project
) -> None:
    jobs = mixed(etl)
    asked = browser.get("/jobs/bulk?action=hold&all=1&q=project:etl")
    words = words_of(asked)
    assert "Hold 1 job?" in words
    assert "1 was so already" in words
    assert "2 wait no more" in words
    assert "3 had already finished" in words
    browser.post("/jobs/bulk", fields_of(asked) | {"note": "after the migration"})
    jobs[0].refresh_from_db()
    assert (jobs[0].held, jobs[0].reason_detail["note"]) == (True, "after the migration")
    assert "1 held, 1 was so already" in words_of(browser.get("/jobs"))
    pressed(browser, browser.get("/jobs/bulk?action=release&all=1&q=project:etl"))
    assert not Job.objects.filter(held=True).exists()


def test_a_priority_is_given_to_many_and_a_wrong_one_loses_nothing(
    browser: Client, etl: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Action, "batch", property(lambda action: 2))
    jobs = [make_job(project=etl, priority=number) for number in (10, 20, 70)]
    asked = browser.get("/jobs/bulk?action=reprioritise&all=1")
    assert "Another priority for 3 jobs?" in words_of(asked)
    wrong = browser.post("/jobs/bulk", fields_of(asked) | {"priority": "lots"})
    assert "Send a whole number." in words_of(wrong)
    assert re.search(r'name="priority"[^>]*value="lots"', wrong.content.decode())
    assert fields_of(wrong)["ids"] == fields_of(asked)["ids"]
    going = browser.post("/jobs/bulk", fields_of(wrong) | {"priority": "70"})
    assert "Setting the priority: 2 of 3" in words_of(going)
    pressed(browser, going)
    assert set(Job.objects.values_list("priority", flat=True)) == {70}
    assert "2 have the new priority, 1 was so already." in words_of(browser.get("/jobs"))
    assert Event.objects.filter(type="job.reprioritised").count() == 2
    assert jobs[0].spec["priority"] == 50


def test_those_that_can_never_run_there_stay_and_are_counted(browser: Client, etl: Project) -> None:
    make_provider("small", found_memory_mb=1024)
    fits = make_job(project=etl)
    large = make_job(project=etl, spec={"resources": {"memory_mb": 4096}})
    asked = browser.get("/jobs/bulk?action=move&all=1")
    assert "Move 2 jobs?" in words_of(asked)
    unknown = browser.post("/jobs/bulk", fields_of(asked) | {"provider": "smal"})
    assert "is small meant?" in words_of(unknown)
    browser.post("/jobs/bulk", fields_of(asked) | {"provider": "small"})
    assert "1 moved, 1 can never run there." in words_of(browser.get("/jobs"))
    fits.refresh_from_db()
    large.refresh_from_db()
    assert fits.queue_class is not None
    assert fits.queue_class.demand["provider"] == "small"
    assert large.queue_class is None or large.queue_class.demand["provider"] == ""


def test_what_was_placed_meanwhile_is_told(browser: Client, etl: Project) -> None:
    jobs = [make_job(project=etl) for _ in range(2)]
    asked = browser.get("/jobs/bulk?action=move&all=1")
    Job.objects.filter(pk=jobs[0].pk).update(state="running", provider=make_provider("busy"))
    browser.post("/jobs/bulk", fields_of(asked) | {"provider": "busy"})
    assert "1 moved, 1 waits no more." in words_of(browser.get("/jobs"))
