"""The page of the queue: counts that equal their lists, and who sees and does what."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from jobs import queue_page
from jobs.models import Attempt, Job
from jobs.services import job_cancel, job_submit
from jobs.transitions import Placement, place
from projects.models import Project, Role
from providers.leases import SCHEDULER, acquire
from providers.models import Provider
from tests.support.attempts import make_attempt
from tests.support.builders import (
    make_actor,
    make_job,
    make_project,
    make_provider,
    make_spec,
    make_user,
)
from tests.support.pages import signed_in, words_of
from tests.support.queues import HOUR, KINDS, listed, make_waiting

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project("etl")


@pytest.fixture
def browser(project: Project) -> Client:
    return signed_in(make_user("ada", project=project))


def chips(browser: Client, query: str = "") -> dict[str, tuple[str, int]]:
    """The groups: what each leads to, and its count."""
    page = browser.get(f"/_/queue/head?{query}").content.decode()
    found = re.findall(r'href="/queue(?:\?([^"]*))?"[^>]*>(.*?)<b>([\d,]+)</b>', page, re.S)
    return {
        re.sub(r"<[^>]+>|\s+$", "", title).strip(): (address.replace("&amp;", "&"), int(number))
        for address, title, number in found
    }


def full_provider(name: str = "node-1", *, memory_mb: int = 0, cpu_millis: int = 0) -> Provider:
    """8 cores and 16 GiB, of which so much is given out."""
    provider = make_provider(name)
    attempt = make_attempt(provider=provider)
    Attempt.objects.filter(pk=attempt.pk).update(memory_mb=memory_mb, cpu_millis=cpu_millis)
    return provider


# --- what they wait for ---


def test_the_sentence_says_what_they_wait_for_in_numbers(browser: Client, project: Project) -> None:
    full_provider(memory_mb=15 * 1024, cpu_millis=2000)
    for _ in range(3):
        make_job(project=project, reason="no_capacity", spec={"resources": {"memory_mb": 4096}})
    make_waiting(project, 50, "held")
    make_waiting(project, 50, "backing off")
    full = Job.objects.filter(queue_class__reason="no_capacity")
    full.update(queued_at=timezone.now() - 12 * HOUR / 60)
    words = words_of(browser.get("/queue"))
    assert "5 wait: 3 for memory, 1 backs off, 1 held; the oldest has waited 12 min" in words
    assert "Those in the queue ask for 3 CPU and 12 GiB together; 6 CPU and 1 GiB free." in words


def test_each_group_has_the_count_of_the_list_that_it_leads_to(
    browser: Client, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_page, "PAGE_SIZE", 4)
    full_provider(memory_mb=15 * 1024, cpu_millis=2000)
    wide = full_provider("wide", cpu_millis=7500)
    Provider.objects.filter(pk=wide.pk).update(labels={"zone": "b"})
    requires = [{"key": "zone", "op": "eq", "values": ["b"]}]
    for n in range(9):
        make_job(
            project=project,
            reason="no_capacity",
            spec={"resources": {"memory_mb": 4096}, "provider": "node-1"},
        )
        make_job(
            project=project,
            reason="no_capacity",
            spec={"resources": {"cpu_cores": 2, "memory_mb": 64}, "requires": requires},
        )
        make_job(
            project=project,
            reason="no_capacity",
            spec={"resources": {"cpu_cores": 2, "memory_mb": 4096}},
        )
        make_job(project=project, reason=("no_match", "too_large", "queued")[n % 3])
        make_waiting(project, 50, KINDS[n % len(KINDS)])
    make_job(project=make_project("secret"), reason="no_match")
    for query in ("", "project=etl"):
        found = chips(browser, query)
        assert {title: number for title, (_, number) in found.items()} == {
            "All": 45, "Next look": 7, "For memory": 9, "For CPU": 9, "For room": 9,
            "No provider fits": 3, "Too large": 3, "Backing off": 3, "Held": 2,
        }  # fmt: skip
        for title, (address, number) in found.items():
            assert len(listed(browser, address)) == number, title
    together = {job for _, (a, _) in found.items() if "why" in a for job in listed(browser, a)}
    assert sorted(together) == sorted(listed(browser))


def test_demands_beyond_those_told_apart_wait_for_room_and_the_counts_hold(
    browser: Client, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.queue_list.MOST_DEMANDS", 2)
    full_provider(memory_mb=15 * 1024)
    for memory in (4096, 4096, 4096, 5000, 5000, 6000, 7000):
        make_job(project=project, reason="no_capacity", spec={"resources": {"memory_mb": memory}})
    found = chips(browser)
    assert (found["For memory"][1], found["For room"][1]) == (5, 2)
    for address, number in found.values():
        assert len(listed(browser, address)) == number


def test_the_reason_of_each_is_the_stored_one_in_words(browser: Client, project: Project) -> None:
    detail = {"need": "2 CPU, 4 GiB", "best": "node-1"}
    make_job(project=project, reason="no_capacity", reason_detail=detail)
    assert "Waiting for room: needs 2 CPU, 4 GiB; the capacity of node-1 is in use." in words_of(
        browser.get("/queue")
    )


# --- room and pace ---


def test_an_empty_queue_says_what_is_free(browser: Client, project: Project) -> None:
    full_provider(cpu_millis=2000, memory_mb=1024)
    assert "Nothing waits; 6 CPU and 15 GiB free." in words_of(browser.get("/queue"))
    make_job(project=project, state="completed")
    assert "What is submitted now starts as soon" in words_of(browser.get("/queue"))


def test_where_no_provider_takes_jobs_nothing_is_free(browser: Client, project: Project) -> None:
    make_job(project=project)
    assert "nothing is free: there is no provider." in words_of(browser.get("/queue"))
    make_provider(mode="inactive")
    assert "512 MiB together; nothing is free." in words_of(browser.get("/queue"))


def test_nothing_yet_nothing_that_matches_and_an_error_are_different(
    browser: Client, project: Project
) -> None:
    assert "nothing has run yet" in words_of(browser.get("/queue"))
    make_job(project=project)
    assert "No job waits so" in words_of(browser.get("/queue?why=held"))
    words = words_of(browser.get("/queue?why=godot&project=nowhere"))
    assert "“godot” is nothing to wait for; use one of: next, memory" in words
    assert "There is no project “nowhere” that you can see." in words
    assert "This filter cannot be read" in words


def test_arrivals_and_starts_are_counted_from_what_happened(
    browser: Client, project: Project
) -> None:
    actor = make_actor(make_user("bo", project=project))
    jobs = [job_submit(actor, data=make_spec(project="etl"))[0] for _ in range(8)]
    provider = make_provider()
    (fence,) = acquire([SCHEDULER], "test", 60, ())
    with transaction.atomic():
        moved = place(fence, [Placement(job.pk, provider.pk, "node-1") for job in jobs[:6]])
    assert len(moved) == 6
    foreign = make_actor(make_user("cy", project=make_project("secret")))
    job_submit(foreign, data=make_spec(project="secret"))
    words = words_of(browser.get("/queue"))
    assert "8 arrived, 6 started" in words
    assert "Estimate: the last of the 2 starts in about" in words
    assert "No engine process plans the queue" not in words


def test_that_nobody_plans_the_queue_is_told(browser: Client, project: Project) -> None:
    make_job(project=project)
    assert "No engine process plans the queue" in words_of(browser.get("/queue"))


def test_without_a_basis_there_is_no_estimate(browser: Client, project: Project) -> None:
    make_job(project=project)
    words = words_of(browser.get("/queue"))
    assert "No estimate of when they start: none started in the last" in words


# --- rows that do not move ---


def kept(browser: Client) -> str:
    found = re.search(r'data-held-value="([\d,]*)"', browser.get("/_/queue/rows").content.decode())
    assert found is not None
    return found[1]


def test_held_rows_stay_where_they_are_and_tell_what_became_of_them(
    browser: Client, project: Project
) -> None:
    actor = make_actor(make_user("bo", project=project))
    jobs = [make_job(project=project, name=f"load-{n}") for n in range(4)]
    before = kept(browser)
    assert before == ",".join(str(job.pk) for job in jobs)
    job_cancel(actor, job_id=jobs[1].pk)
    urgent = make_job(project=project, priority=90)
    response = browser.get(f"/_/queue/rows?rows={before}")
    page = response.content.decode()
    assert re.findall(r'<tr id="waiting-(\d+)"', page) == before.split(",")
    assert "1 new, 1 gone" in words_of(response)
    assert "Cancelled by bo." in words_of(response)
    assert page.count('class="gone"') == 1
    assert listed(browser) == [urgent.pk, jobs[0].pk, jobs[2].pk, jobs[3].pk]


def test_jobs_that_only_moved_up_are_not_called_new(
    browser: Client, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_page, "PAGE_SIZE", 3)
    actor = make_actor(make_user("bo", project=project))
    jobs = [make_job(project=project) for _ in range(6)]
    before = kept(browser)
    job_cancel(actor, job_id=jobs[0].pk)
    words = words_of(browser.get(f"/_/queue/rows?rows={before}"))
    assert "1 gone" in words
    assert "new" not in words.partition("Place")[0]


def test_rows_that_are_asked_for_by_number_are_still_only_ones_own(
    browser: Client, project: Project
) -> None:
    foreign = make_job(project=make_project("secret"), name="hidden-name")
    mine = make_job(project=project)
    page = browser.get(f"/_/queue/rows?rows={foreign.pk},{mine.pk},x,{2**70}").content.decode()
    assert "hidden-name" not in page
    assert re.findall(r'<tr id="waiting-(\d+)"', page) == [str(mine.pk)]


# --- who may do what ---


def test_a_held_job_is_released_from_the_list_and_the_list_is_shown_again(
    browser: Client, project: Project
) -> None:
    job = make_job(project=project, held=True, reason="held")
    response = browser.post(f"/queue/{job.pk}/release", {"why": "held", "project": "etl"})
    assert unquote(response["Location"]) == "/queue?project=etl&why=held"
    job.refresh_from_db()
    assert not job.held
    again = browser.post(f"/queue/{job.pk}/release", headers={"HX-Request": "true"})
    assert f"Job {job.pk} is not held" in words_of(again)


def test_cancelling_from_the_queue_leads_back_to_it(browser: Client, project: Project) -> None:
    job = make_job(project=project)
    page = browser.get(f"/jobs/bulk?action=cancel&job={job.pk}&from=queue").content.decode()
    assert re.search(r'href="/queue"\s+data-close', page)
    response = browser.post(
        "/jobs/bulk", {"action": "cancel", "ids": str(job.pk), "whole": "1", "from": "queue"}
    )
    assert response["Location"] == "/queue"
    job.refresh_from_db()
    assert job.state == "cancelled"


def test_selected_jobs_are_held_from_the_queue_and_lead_back_to_it(
    browser: Client, project: Project
) -> None:
    job = make_job(project=project)
    page = browser.get("/queue").content.decode()
    assert re.search(rf'name="job"\s+value="{job.pk}"\s+form="bulk"', page)
    assert 'name="from" value="queue"' in page
    sent = {"action": "hold", "ids": str(job.pk), "whole": "1", "from": "queue", "note": "later"}
    assert browser.post("/jobs/bulk", sent)["Location"] == "/queue"
    job.refresh_from_db()
    assert (job.held, job.reason_detail["note"]) == (True, "later")


def test_who_may_not_change_a_job_is_offered_nothing(project: Project) -> None:
    make_job(project=project, held=True, reason="held")
    page = signed_in(make_user(project=project, role=Role.VIEWER)).get("/queue").content.decode()
    assert "Release" not in page.replace("Held. Release it", "")
    assert "action=cancel" not in page


def test_a_cursor_of_another_list_is_refused_in_words(browser: Client, project: Project) -> None:
    for _ in range(51):
        make_job(project=project)
    page = browser.get("/jobs").content.decode()
    found = re.search(r"cursor=([^\"&]+)", page)
    assert found is not None
    for address in (f"/queue?cursor={found[1]}", "/queue?cursor=made-up"):
        response = browser.get(address)
        assert response.status_code == 400
        assert "begin again without it" in words_of(response)


def test_the_number_of_queries_does_not_grow_with_queue_and_providers(
    browser: Client, project: Project
) -> None:
    def queries() -> dict[str, int]:
        found = {}
        for url in ("/queue", "/_/queue/head", "/_/queue/rows", "/queue?why=memory"):
            with CaptureQueriesContext(connection) as captured:
                browser.get(url)
            found[url] = len(captured)
        return found

    full_provider(memory_mb=15 * 1024)
    make_job(project=project, reason="no_capacity", spec={"resources": {"memory_mb": 4096}})
    few = queries()
    for n in range(15):
        make_provider()
        make_waiting(project, n, KINDS[n % len(KINDS)])
        make_job(project=project, reason="no_capacity", spec={"resources": {"memory_mb": 4096 + n}})
    assert queries() == few


# --- by project and by key ---


def test_each_project_tells_what_waits_what_may_run_and_who_paused_it(
    browser: Client, project: Project
) -> None:
    for _ in range(2):
        make_job(project=project, queued_at=timezone.now() - 12 * HOUR / 60)
    make_waiting(project, 50, "held")
    make_attempt(job=make_job(project=project, state="running"))
    make_job(project=make_project("secret"))
    assert "By project" not in words_of(browser.get("/queue"))
    Project.objects.filter(pk=project.pk).update(
        max_running=3, max_cpu_millis=2000, paused_at=timezone.now(), paused_by="ada",
        pause_note="stock-taking",
    )  # fmt: skip
    page = browser.get("/queue")
    words = words_of(page)
    assert "etl 3 wait 1 of 3 jobs run, 1 of 2 CPU; the oldest has waited 12 min" in words
    assert "Paused: ada wrote “stock-taking”" in words
    assert "secret" not in words
    assert len(listed(browser, "project=etl")) == 3


def test_each_key_tells_what_waits_and_leads_to_the_list_of_those(
    browser: Client, project: Project
) -> None:
    concurrency = {"concurrency": {"key": "deploy", "limit": 2, "on_overflow": "queue"}}
    key: dict[str, Any] = {
        "project": project, "spec": concurrency, "concurrency_key": "deploy"
    }  # fmt: skip
    for _ in range(3):
        make_job(**key, queued_at=timezone.now() - 12 * HOUR / 60)
    make_job(**key, held=True, reason="held")
    make_job(**key, state="running")
    make_job(project=project)
    response = browser.get("/queue")
    words = words_of(response)
    assert re.search(r"deploy 4 wait 1 of 2 run; the oldest has waited 12 min( \d+ s)? etl", words)
    found = re.search(r'href="(/jobs\?[^"]*key%3Adeploy[^"]*)"', response.content.decode())
    assert found is not None
    rows = browser.get(found[1].replace("&amp;", "&")).content.decode()
    assert len(re.findall(r'<tr id="job-', rows)) == 4
