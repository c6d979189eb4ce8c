"""What would come of a job that is not submitted: told before, and so it comes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from jobs.models import Job
from jobs.reasons import reason_text
from orchestrator.postgres_store import PostgresStore
from orchestrator.scheduling.policy import plan
from projects.models import Event, Project
from providers.models import Provider
from tests.support.attempts import make_attempt
from tests.support.builders import make_job, make_project, make_provider, make_user
from tests.support.pages import signed_in
from tests.support.whys import dry_run, full, why

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def project() -> Project:
    return make_project("etl")


@pytest.fixture
def browser(project: Project) -> Client:
    return signed_in(make_user("ada", project=project))


def test_a_dry_run_tells_where_a_job_would_start_and_submits_nothing(
    browser: Client, project: Project
) -> None:
    make_provider("node-1")
    events = Event.objects.count()
    found = dry_run(browser)
    assert (found["starts"], found["provider"]) == (True, "node-1")
    assert found["text"] == "Starts at once on node-1"
    assert not Job.objects.exists()
    assert Event.objects.count() == events


def test_one_that_is_too_small_tells_by_how_much_of_all_that_it_has(
    browser: Client, project: Project
) -> None:
    full(project)
    (answer,) = dry_run(browser, resources={"memory_mb": 24_576})["providers"]
    assert (answer["answer"], answer["text"]) == ("small", "It is too small by 8 GiB.")


def test_a_dry_run_tells_what_would_have_to_end(browser: Client, project: Project) -> None:
    full(project)
    found = dry_run(browser, resources={"memory_mb": 6144})
    assert (found["starts"], found["provider"]) == (False, None)
    assert found["ways_out"][1] == "Would start on node-2 now with 2 GiB less."


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"max_cpu_millis": 500}, "Larger than all that etl may use at once: needs 1 CPU"),
        ({"max_running": 0}, "Larger than all that etl may use at once: needs 1 running job"),
        ({"paused_at": timezone.now(), "pause_note": "moving"}, "The queue of etl is paused"),
    ],
)
def test_a_dry_run_tells_which_limit_would_keep_it_waiting(
    browser: Client, project: Project, limits: dict[str, Any], words: str
) -> None:
    make_provider("node-1")
    Project.objects.filter(pk=project.pk).update(**limits)
    found = dry_run(browser)
    assert not found["starts"]
    assert found["forbidden"].startswith(words)


def test_a_provider_that_is_kept_free_is_no_room_for_a_dry_run(
    browser: Client, project: Project
) -> None:
    full(project)
    overdue = make_job(
        project=project,
        queued_at=timezone.now() - 7 * HOUR,
        reason="no_capacity",
        reason_detail={"need": "1 CPU", "best": "node-2"},
        spec={"resources": {"memory_mb": 16_384}},
    )
    found = dry_run(browser)
    words = "Waits: node-2 has room, and is kept free for a job that has waited longest"
    assert (found["starts"], found["text"]) == (False, words)
    assert found["held_up_by"]["jobs"] == [overdue.pk]
    assert found["place"] == 2
    assert found["ways_out"] == []
    waiting = make_job(project=project, spec={"resources": {"memory_mb": 6144}})
    assert why(browser, waiting)["ways_out"] == []  # what is kept free is no way out
    assert why(browser, overdue)["ways_out"]


@pytest.mark.parametrize(
    ("overflow", "comes"),
    [
        ("queue", "Waits for its key deploy, of which no more than 1 may run at once."),
        ("cancel_newest", "Would be cancelled at once: its key deploy is taken, and it gives way"),
        ("cancel_running", "Waits for job {} to end, which it tells to stop"),
    ],
)
def test_a_dry_run_tells_what_comes_of_a_key_that_is_taken(
    browser: Client, project: Project, overflow: str, comes: str
) -> None:
    make_provider("node-1")
    running = make_job(state="running", project=project, concurrency_key="deploy")
    found = dry_run(browser, concurrency={"key": "deploy", "on_overflow": overflow})
    assert not found["starts"]
    assert found["text"].startswith(comes.format(running.pk))
    assert found["held_up_by"]["jobs"] == [running.pk]
    assert found["place"] == (None if overflow == "cancel_newest" else 1)
    assert dry_run(browser, concurrency={"key": "other", "on_overflow": overflow})["starts"]


KEPT: dict[str, Any] = {"resources": {"cpu_cores": 8}}


def overdue(project: Project, reason: str, **spec: Any) -> Job:
    """A job that has waited too long, and was told so."""
    since = timezone.now() - 7 * HOUR
    key = spec.get("concurrency", {}).get("key", "")
    return make_job(project=project, queued_at=since, reason=reason, spec=spec, concurrency_key=key)


def with_key(project: Project, key: str, *, state: str = "running") -> Job:
    node = Provider.objects.first() or make_provider("node-1")
    amounts = {} if state == "running" else {"resources": {"memory_mb": 6144}}
    spec = {"concurrency": {"key": key, "on_overflow": "cancel_newest"}} | amounts
    job = make_job(
        state=state, project=project, provider=node if state == "running" else None, spec=spec,
        concurrency_key=key,
    )  # fmt: skip
    if state == "running":
        make_attempt(job=job, provider=node)
    return job


@pytest.mark.parametrize(
    ("stage", "spec"),
    [
        ("idle", {}),
        ("a provider is kept free", {}),
        ("a limit is kept", {}),
        ("a limit is kept", {"resources": {"cpu_cores": 0.5}}),
        ("a key is kept", {"concurrency": {"key": "k"}}),
        ("a key is kept", {"concurrency": {"key": "other"}}),
        *(
            (stage, {"concurrency": {"key": "k", "on_overflow": overflow, "limit": limit}})
            for stage in ("a key is taken", "a job with the key waits", "small")
            for overflow in ("queue", "cancel_newest", "cancel_running")
            for limit in (1, 2)
        ),
        ("paused", {"concurrency": {"key": "k", "on_overflow": "cancel_running"}}),
    ],
)
def test_a_dry_run_foretells_what_the_planner_does(
    browser: Client, project: Project, stage: str, spec: dict[str, Any]
) -> None:
    limits: dict[str, Any] = {}
    match stage:
        case "a provider is kept free":
            full(project)
            overdue(project, "no_capacity", resources={"memory_mb": 16_384})
        case "a limit is kept":
            with_key(project, "another")
            limits = {"max_cpu_millis": 8500}
            overdue(project, "project_limit", **KEPT)
        case "a key is kept":
            with_key(project, "k")
            overdue(project, "key_limit", concurrency={"key": "k", "limit": 1})
        case "a key is taken" | "paused" | "small":
            with_key(project, "k")
            if stage == "small":
                limits = {"max_memory_mb": 256}
        case "a job with the key waits":
            full(project)
            with_key(project, "k", state="pending")
        case _:
            make_provider("node-1")
    if stage == "paused":
        limits = {"paused_at": timezone.now()}
    Project.objects.filter(pk=project.pk).update(**limits)
    found = dry_run(browser, **spec)
    body = {"name": "probe", "image": "sample:1", "project": "etl"} | spec
    job = browser.post("/api/v1/jobs", body, content_type="application/json").json()["id"]
    made = plan(PostgresStore("test", 10).snapshot())
    gives_way = {one.job: one.to for one in made.give_way}
    assert found["starts"] == (job in {placed.job for placed in made.placements})
    assert found["text"].startswith("Would be cancelled") == (job in gives_way)
    stopped = [one for one, to in gives_way.items() if to == job and one != job]
    running = set(Job.objects.filter(state="running").values_list("pk", flat=True))
    if "tells to stop" in found["text"]:
        assert found["held_up_by"]["jobs"] == sorted(running.intersection(stopped))
    else:
        assert not running.intersection(stopped)
    waiting = Job.objects.get(pk=job).queue_class_id
    told = [w for w in made.waits if w.waiting == waiting]
    if told and told[0].reason in ("kept_free", "kept_limit"):
        assert found["held_up_by"]["jobs"] == [told[0].detail["job"]]
    elif told and told[0].reason != "key_limit":
        assert found["forbidden"] == reason_text(told[0].reason, told[0].detail)


def test_a_dry_run_counts_those_that_wait_with_its_key(browser: Client, project: Project) -> None:
    key = {"key": "deploy", "on_overflow": "cancel_newest"}
    waiting = make_job(project=project, concurrency_key="deploy", spec={"concurrency": key})
    make_provider("node-1")
    found = dry_run(browser, concurrency=key)
    assert found["held_up_by"]["jobs"] == [waiting.pk]
    assert found["text"].startswith("Would be cancelled at once")


@pytest.mark.parametrize("limits", [{"max_queued": 1}, {"submits_per_minute": 1}])
def test_a_dry_run_tells_that_a_submission_would_be_refused_now(
    browser: Client, project: Project, limits: dict[str, int]
) -> None:
    make_provider("node-1")
    make_job(project=project)
    Project.objects.filter(pk=project.pk).update(**limits)
    body = {"name": "probe", "image": "sample:1", "project": "etl"}
    found = dry_run(browser)
    refused = browser.post("/api/v1/jobs", body, content_type="application/json")
    assert refused.status_code == 429
    assert found["forbidden"] == refused.json()["detail"]
    assert (found["starts"], found["place"]) == (False, None)
    assert found["text"].startswith("Would be refused now: ")


def test_the_place_of_a_job_that_is_not_submitted_is_that_which_it_gets(
    browser: Client, project: Project
) -> None:
    full(project, holds_mb=16_384)
    for priority in (90, 50, 10):
        make_job(project=project, priority=priority)
        make_job(project=make_project("ci"), priority=priority)
    Job.objects.filter(state="pending").update(queued_at=timezone.now() - HOUR / 60)
    found = dry_run(browser)
    body = {"name": "probe", "image": "sample:1", "project": "etl"}
    job = Job.objects.get(
        pk=browser.post("/api/v1/jobs", body, content_type="application/json").json()["id"]
    )
    assert found["place"] == why(browser, job)["place"]
    assert dry_run(browser, hold=True)["place"] is None


def test_a_dry_run_refuses_what_submitting_would(browser: Client) -> None:
    body = {"name": "", "image": "sample:1", "cpus": 2, "project": "etl"}
    answer = browser.post("/api/v1/jobs/dry-run", body, content_type="application/json")
    assert answer.status_code == 422
    submitted = browser.post("/api/v1/jobs", body, content_type="application/json")
    assert answer.json()["errors"] == submitted.json()["errors"]
