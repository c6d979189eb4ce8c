"""What people do with jobs that wait: hold, release, another priority, another provider."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from jobs import acts, transitions
from jobs.models import Job
from jobs.queue import line
from jobs.services import job_submit
from jobs.states import ACTIVE, TERMINAL, JobState
from projects.actor import SYSTEM, Actor
from projects.errors import Conflict, Forbidden, Invalid, NotFound
from projects.models import Event, Project, Role
from tests.support.builders import (
    bearer,
    make_actor,
    make_job,
    make_project,
    make_provider,
    make_spec,
    make_user,
)
from tests.support.pages import signed_in, words_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def etl() -> Project:
    return make_project("etl")


@pytest.fixture
def ada(etl: Project) -> Actor:
    return make_actor(make_user("ada", project=etl))


def submitted(project: Project, **spec: Any) -> Job:
    """A job in line, as a submission makes it."""
    root = make_actor(make_user(superuser=True))
    return job_submit(root, data=make_spec(**spec) | {"project": project.slug})[0]


def event_of(job: Job, type_: str) -> Event:
    return Event.objects.get(subject_kind="job", subject_id=job.pk, type=type_)


def in_line() -> dict[int, tuple[int, str]]:
    """What the planner reads: the jobs in line with their priority and their pin."""
    return {
        job: (c.priority, json.loads(c.demand)["provider"]) for c in line(100, {}) for job in c.jobs
    }


def test_a_held_job_leaves_the_line_and_says_why(ada: Actor, etl: Project) -> None:
    job = submitted(etl, queue_timeout_seconds=60)
    acts.job_hold(ada, job_id=job.pk, data={"note": "after the migration"})
    held = Job.objects.get(pk=job.pk)
    assert (held.held, held.reason, held.queue_until) == (True, "held", None)
    assert job.pk not in in_line()
    event = event_of(job, "job.held")
    assert (event.actor_name, event.reason) == ("ada", "held")
    assert event.detail == {"by": "ada", "note": "after the migration"}
    page = words_of(signed_in(make_user("eve", project=etl)).get(f"/jobs/{job.pk}"))
    assert "Held. Release it to let it run. ada wrote “after the migration”." in page
    again = acts.job_release(ada, job_id=job.pk)
    assert (again.held, again.reason) == (False, "queued")
    assert again.queue_until is not None
    assert again.queued_at > job.queued_at
    assert job.pk in in_line()


def test_holding_again_changes_the_note_and_nothing_else(ada: Actor, etl: Project) -> None:
    job = submitted(etl)
    acts.job_hold(ada, job_id=job.pk, data={})
    rev = acts.job_hold(ada, job_id=job.pk, data={}).rev
    assert Event.objects.filter(type="job.held").count() == 1
    noted = acts.job_hold(ada, job_id=job.pk, data={"note": "wait"})
    assert (noted.rev, noted.reason_detail) == (rev + 1, {"by": "ada", "note": "wait"})
    assert acts.job_hold(ada, job_id=job.pk, data={"note": "wait"}).rev == noted.rev
    assert acts.job_hold(ada, job_id=job.pk, data={}).reason_detail["note"] == "wait"


def test_a_retry_that_is_held_comes_with_its_release(ada: Actor, etl: Project) -> None:
    job = make_job(project=etl, reason="backoff", not_before=timezone.now(), attempt=1)
    assert acts.job_hold(ada, job_id=job.pk, data={}).not_before is None
    assert acts.job_release(ada, job_id=job.pk).in_line


def test_another_priority_is_the_lines_and_not_the_specs(ada: Actor, etl: Project) -> None:
    job, other = submitted(etl, priority=10), submitted(etl, priority=10)
    assert in_line()[job.pk][0] == 10
    found = acts.job_reprioritise(ada, job_id=job.pk, data={"priority": 90})
    assert (found.priority, found.spec["priority"]) == (90, 10)
    assert (in_line()[job.pk][0], in_line()[other.pk][0]) == (90, 10)
    assert event_of(job, "job.reprioritised").detail["changes"] == {"priority": [10, 90]}
    same = acts.job_reprioritise(ada, job_id=job.pk, data={"priority": 90})
    assert same.rev == found.rev
    page = words_of(signed_in(make_user("eve", project=etl)).get(f"/jobs/{job.pk}?tab=events"))
    assert "90submitted with 10" in page
    assert "Reprioritised priority 10 → 90" in page


def test_a_job_is_bound_to_a_provider_and_let_go(ada: Actor, etl: Project) -> None:
    make_provider("node-1")
    job = submitted(etl)
    acts.job_move(ada, job_id=job.pk, data={"provider": "node-1"})
    assert in_line()[job.pk] == (50, "node-1")
    assert event_of(job, "job.moved").detail["changes"] == {"provider": [None, "node-1"]}
    assert Job.objects.get(pk=job.pk).spec["provider"] is None
    page = words_of(signed_in(make_user("eve", project=etl)).get(f"/jobs/{job.pk}?tab=events"))
    assert "node-1moved there" in page
    assert "Moved provider any → node-1" in page
    # what it asks for now, and not its spec, is what the panel weighs
    make_provider("node-2")
    panel = words_of(signed_in(make_user("bob", project=etl)).get(f"/_/jobs/{job.pk}/waiting"))
    assert "The job asks for node-1" in panel
    acts.job_move(ada, job_id=job.pk, data={"provider": None})
    assert in_line()[job.pk] == (50, "")


def test_a_held_job_is_moved_and_reprioritised_and_stays_held(ada: Actor, etl: Project) -> None:
    make_provider("node-1")
    job = submitted(etl, hold=True)
    acts.job_move(ada, job_id=job.pk, data={"provider": "node-1"})
    acts.job_reprioritise(ada, job_id=job.pk, data={"priority": 1})
    assert job.pk not in in_line()
    acts.job_release(ada, job_id=job.pk)
    assert in_line()[job.pk] == (1, "node-1")


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"resources": {"memory_mb": 32_768}},
         "It can never run on node-1, where 16 GiB is missing in all."),
        ({"requires": [{"key": "zone", "op": "eq", "values": ["b"]}]},
         "It can never run on node-1: the job asks for zone = b; here it is a."),
        ({"mounts": [{"source": "/srv", "target": "/srv"}], "provider": "node-2"},
         "The administrator of node-1 does not allow this mount."),
    ],
)  # fmt: skip
def test_a_provider_that_it_can_never_run_on_is_refused_with_the_reason(
    ada: Actor, etl: Project, spec: dict[str, Any], words: str
) -> None:
    make_provider("node-1", labels={"zone": "a"}, mode="inactive")
    make_provider("node-2", mount_allow_list=["/srv"])
    job = submitted(etl, **spec)
    before = in_line()
    with pytest.raises(Invalid) as refused:
        acts.job_move(ada, job_id=job.pk, data={"provider": "node-1"})
    assert [(p.pointer, p.detail) for p in refused.value.problems] == [("/provider", words)]
    assert in_line() == before
    assert not Event.objects.filter(type="job.moved").exists()


def test_a_job_with_mounts_is_not_let_go_to_where_they_are_not_allowed(
    ada: Actor, etl: Project
) -> None:
    make_provider("node-1")
    make_provider("node-2", mount_allow_list=["/srv"])
    mounts = [{"source": "/srv", "target": "/srv"}]
    job = submitted(etl, mounts=mounts, provider="node-2")
    with pytest.raises(Invalid, match="Not every provider allows this mount"):
        acts.job_move(ada, job_id=job.pk, data={"provider": None})


def test_a_provider_that_is_not_there_is_told_with_one_like_it(ada: Actor, etl: Project) -> None:
    make_provider("node-1")
    job = submitted(etl)
    with pytest.raises(Invalid, match=r"There is no provider 'nod-1'; is node-1 meant\?"):
        acts.job_move(ada, job_id=job.pk, data={"provider": "nod-1"})


@pytest.mark.parametrize("state", sorted(ACTIVE | TERMINAL))
def test_what_waits_no_more_is_left_alone_and_told(
    ada: Actor, etl: Project, state: JobState
) -> None:
    job = make_job(project=etl, state=state)
    make_provider("node-1")
    before = Job.objects.filter(pk=job.pk).values().get()
    words = "waits no more: it is" if state in ACTIVE else "has ended: it is"
    bodies: list[tuple[Callable[..., Job], dict[str, Any]]] = [
        (acts.job_hold, {}),
        (acts.job_reprioritise, {"priority": 1}),
        (acts.job_move, {"provider": "node-1"}),
    ]
    for act, data in bodies:
        with pytest.raises(Conflict, match=words):
            act(ada, job_id=job.pk, data=data)
    assert Job.objects.filter(pk=job.pk).values().get() == before
    assert not Event.objects.exists()


def test_only_who_may_submit_changes_jobs_and_foreign_ones_are_not_there(etl: Project) -> None:
    job = submitted(etl)
    looker = make_actor(make_user(project=etl, role=Role.VIEWER))
    stranger = make_actor(make_user(project=make_project("elsewhere")))
    with pytest.raises(Forbidden):
        acts.job_hold(looker, job_id=job.pk, data={})
    with pytest.raises(NotFound):
        acts.job_move(stranger, job_id=job.pk, data={"provider": None})


def test_a_row_that_has_no_class_yet_is_given_one(ada: Actor, etl: Project) -> None:
    job = make_job(project=etl, queue_class=None)
    acts.job_reprioritise(ada, job_id=job.pk, data={"priority": 70})
    assert in_line()[job.pk] == (70, "")


@pytest.mark.parametrize("spec", [7, {}, {"mounts": [{}], "requires": 3, "provider": []}])
def test_a_job_whose_spec_cannot_be_read_is_changed_like_any(
    ada: Actor, etl: Project, spec: object
) -> None:
    make_provider("node-1")
    job = submitted(etl)
    Job.objects.filter(pk=job.pk).update(spec=spec)
    acts.job_hold(ada, job_id=job.pk, data={})
    acts.job_reprioritise(ada, job_id=job.pk, data={"priority": 70})
    acts.job_move(ada, job_id=job.pk, data={"provider": "node-1"})
    acts.job_release(ada, job_id=job.pk)
    assert in_line()[job.pk] == (70, "node-1")
    assert signed_in(make_user("eve", project=etl)).get(f"/jobs/{job.pk}").status_code == 200


def test_many_jobs_change_in_few_statements(
    etl: Project, django_assert_max_num_queries: Any
) -> None:
    jobs = [submitted(etl, priority=n % 3).pk for n in range(12)]
    with django_assert_max_num_queries(12):
        changed = transitions.reprioritise(jobs, 60, SYSTEM)
    assert changed.changed == jobs
    assert {in_line()[job][0] for job in jobs} == {60}


# --- the API ---------------------------------------------------------------------------


def post(path: str, body: Any = None, **headers: Any) -> Any:
    data = json.dumps(body) if body is not None else ""
    return Client().post(f"/api/v1{path}", data, content_type="application/json", **headers)


def test_the_api_holds_releases_reprioritises_and_moves(etl: Project) -> None:
    make_provider("node-1")
    token = bearer(make_user("eve", project=etl))
    job = submitted(etl)
    held = post(f"/jobs/{job.pk}/hold", {"note": "later"}, **token).json()
    assert (held["held"], held["reason"]) == (True, "held")
    assert held["reason_text"].endswith("eve wrote “later”.")
    assert post(f"/jobs/{job.pk}/hold", **token).status_code == 200
    assert post(f"/jobs/{job.pk}/release", **token).json()["held"] is False
    assert post(f"/jobs/{job.pk}/release", **token).status_code == 409
    body = post(f"/jobs/{job.pk}/reprioritise", {"priority": 80}, **token).json()
    assert (body["priority"], body["spec"]["priority"]) == (80, 50)
    body = post(f"/jobs/{job.pk}/move", {"provider": "node-1"}, **token).json()
    assert (body["pinned_to"], body["spec"]["provider"]) == ("node-1", None)
    body = post(f"/jobs/{job.pk}/move", {"provider": None}, **token).json()
    assert body["pinned_to"] is None


@pytest.mark.parametrize(
    ("act", "body", "pointer"),
    [
        ("hold", {"note": "x" * 201}, "/note"),
        ("hold", {"note": "two\nlines"}, "/note"),
        ("hold", {"why": "x"}, "/why"),
        ("reprioritise", {"priority": 101}, "/priority"),
        ("reprioritise", {"priority": "80"}, "/priority"),
        ("reprioritise", {}, "/priority"),
        ("move", {}, "/provider"),
        ("move", {"provider": ""}, "/provider"),
        ("move", {"provider": "nowhere"}, "/provider"),
    ],
)
def test_a_wrong_body_is_refused_by_field(
    etl: Project, act: str, body: dict[str, Any], pointer: str
) -> None:
    token = bearer(make_user("eve", project=etl))
    job = submitted(etl)
    answer = post(f"/jobs/{job.pk}/{act}", body, **token)
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


def test_a_placed_job_is_409_with_what_can_be_done(etl: Project) -> None:
    token = bearer(make_user("eve", project=etl))
    job = make_job(state="running", project=etl, provider=make_provider("node-1"))
    answer = post(f"/jobs/{job.pk}/move", {"provider": None}, **token)
    assert answer.status_code == 409
    assert answer.json()["detail"] == (
        f"Job {job.pk} waits no more: it is running on node-1."
        " To change that, cancel it and run it again."
    )


# --- the pages ------------------------------------------------------------------------


def test_the_job_page_changes_a_job_that_waits_and_says_what_stood_against_it(
    etl: Project,
) -> None:
    make_provider("node-1", found_memory_mb=100)
    job = submitted(etl)
    browser = signed_in(make_user("eve", project=etl))
    page = browser.get(f"/jobs/{job.pk}").content.decode()
    assert "While it waits" in page
    browser.post(f"/jobs/{job.pk}/hold", {"note": "later"})
    browser.post(f"/jobs/{job.pk}/reprioritise", {"priority": "7"})
    job.refresh_from_db()
    assert (job.held, job.priority) == (True, 7)
    page = browser.get(f"/jobs/{job.pk}").content.decode()
    assert re.search(r'name="note"[^>]*value="later"', page)
    assert re.search(r'name="priority"[^>]*value="7"', page)
    for act, fields, words in (
        ("reprioritise", {"priority": "many"}, "Send a whole number."),
        ("reprioritise", {"priority": "101"}, "Must be at most 100."),
        ("move", {"provider": "node-1"}, "where 412 MiB is missing in all."),
        ("move", {"provider": "nowhere"}, "There is no provider 'nowhere'"),
    ):
        response = browser.post(f"/jobs/{job.pk}/{act}", fields, follow=True)
        assert words in words_of(response)
    assert "While it waits" not in words_of(
        browser.get(f"/jobs/{make_job(project=etl, state='failed').pk}")
    )
