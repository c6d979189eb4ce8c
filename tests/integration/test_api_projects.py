"""What the API does with projects: their shares, their pause, and whom it tells."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from projects.models import Event, Project, Role
from projects.notify import ENGINE_CHANNEL, LIVE_CHANNEL
from tests.support.attempts import make_attempt
from tests.support.builders import bearer, make_job, make_project, make_user
from tests.support.connections import listening


class Api:
    """A client with one person's token."""

    def __init__(self, user: User) -> None:
        self._headers: dict[str, Any] = bearer(user)

    def __call__(self, method: str, path: str, body: object = None) -> Any:
        data = "" if body is None else json.dumps(body)
        return Client().generic(
            method, f"/api/v1{path}", data, content_type="application/json", **self._headers
        )


@pytest.fixture
def project() -> Project:
    return make_project("etl")


@pytest.fixture
def operator() -> Api:
    return Api(make_user("olga", staff=True))


@pytest.fixture
def admin(project: Project) -> Api:
    return Api(make_user("ada", project=project, role=Role.ADMIN))


def problems(answer: Any) -> dict[str, str]:
    assert answer.status_code == 422, answer.content
    return {problem["pointer"]: problem["detail"] for problem in answer.json()["errors"]}


@pytest.mark.django_db
def test_a_project_tells_its_limits_what_is_used_and_what_waits(
    admin: Api, project: Project
) -> None:
    make_attempt(job=make_job(state="running", project=project))
    make_job(project=project, held=True, reason="held")
    Project.objects.filter(pk=project.pk).update(
        max_running=5, max_cpu_millis=2500, submits_per_minute=60
    )
    found = admin("GET", "/projects/etl").json()
    assert found == {
        "slug": "etl",
        "name": "Etl",
        "weight": 100,
        "limits": {
            "running": 5, "cpu_cores": 2.5, "memory_mb": None, "gpus": None, "queued": None,
            "submits_per_minute": 60,
        },
        "used": {
            "running": 1, "cpu_cores": 1.0, "memory_mb": 512, "gpus": 0, "queued": 1,
            "submits_per_minute": 2,
        },
        "paused": None,
        "warnings": [],
    }  # fmt: skip
    assert admin("GET", "/projects").json() == {"items": [found], "next_cursor": None}


@pytest.mark.django_db
def test_an_operator_sees_all_projects_page_by_page(operator: Api, project: Project) -> None:
    first = operator("GET", "/projects?limit=1").json()
    rest = operator("GET", f"/projects?limit=1&cursor={first['next_cursor']}").json()
    assert [page["items"][0]["slug"] for page in (first, rest)] == ["default", "etl"]
    assert rest["next_cursor"] is None


@pytest.mark.django_db
def test_limits_are_set_one_by_one_taken_away_and_recorded_with_what_changed(
    operator: Api, project: Project
) -> None:
    changed = operator("PATCH", "/projects/etl/limits", {"weight": 250, "running": 5}).json()
    assert (changed["weight"], changed["limits"]["running"]) == (250, 5)
    fields = {"running": None, "cpu_cores": 0.25, "gpus": 0}
    changed = operator("PATCH", "/projects/etl/limits", fields).json()
    assert changed["weight"] == 250
    limits = changed["limits"]
    assert (limits["running"], limits["cpu_cores"], limits["gpus"]) == (None, 0.25, 0)
    operator("PATCH", "/projects/etl/limits", {"gpus": 0})  # which changes nothing
    events = Event.objects.filter(type="project.limits", project=project).order_by("pk")
    assert [event.detail["changes"] for event in events] == [
        {"weight": [100, 250], "running": [None, 5]},
        {"running": [5, None], "cpu_cores": [None, 0.25], "gpus": [None, 0]},
    ]


@pytest.mark.django_db
def test_a_limit_below_what_is_used_is_kept_with_what_that_means(
    operator: Api, project: Project
) -> None:
    for _ in range(3):
        make_attempt(job=make_job(state="running", project=project))
    make_job(project=project)
    fields = {"running": 2, "cpu_cores": 1, "memory_mb": 1024, "queued": 0}
    changed = operator("PATCH", "/projects/etl/limits", fields).json()
    assert changed["warnings"] == [
        "3 run now: nothing new starts until fewer than 2 run.",
        "What runs holds 3 CPU: nothing that needs it starts until it fits into 1 CPU.",
        "What runs holds 1.5 GiB: nothing that needs it starts until it fits into 1 GiB.",
        "1 waits now: nothing more may be submitted while the limit is 0.",
    ]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({"weight": -1}, {"/weight": "Must be at least 1."}),
        ({"weight": 0}, {"/weight": "Must be at least 1."}),
        ({"weight": None}, {"/weight": "Send a whole number."}),
        ({"weight": True}, {"/weight": "Send a whole number."}),
        (
            {"running": 0, "memory_mb": -5},
            dict.fromkeys(
                ("/running", "/memory_mb"),
                "Use more than 0, or pause the project to let nothing start.",
            ),
        ),
        ({"running": "5"}, {"/running": "Send a whole number."}),
        ({"cpu_cores": 2_000_000}, {"/cpu_cores": "Must be at most 1000000.0."}),
        ({"max_running": 5}, {"/max_running": "Unknown field; remove it."}),
        ([], {"": "Send a JSON object, not a list."}),
    ],
)
def test_wrong_limits_are_refused_by_name_and_none_is_set(
    operator: Api, project: Project, body: Any, wrong: dict[str, str]
) -> None:
    sent = {"queued": 3} | body if isinstance(body, dict) else body
    assert problems(operator("PATCH", "/projects/etl/limits", sent)) == wrong
    project.refresh_from_db()
    assert (project.weight, project.max_queued, project.max_running) == (100, None, None)


@pytest.mark.django_db
def test_a_pause_has_a_note_that_can_be_replaced_and_ends_once(
    admin: Api, operator: Api, project: Project
) -> None:
    paused = admin("POST", "/projects/etl/pause", {"note": " the file server is down "}).json()
    begun = paused["paused"]["at"]
    assert paused["paused"] == {"at": begun, "by": "ada", "note": "the file server is down"}
    again = operator("POST", "/projects/etl/pause", {"note": "until noon"}).json()
    assert again["paused"] == {"at": begun, "by": "olga", "note": "until noon"}
    operator("POST", "/projects/etl/pause", {"note": "until noon"})
    for _ in range(2):
        assert admin("POST", "/projects/etl/resume").json()["paused"] is None
    assert admin("POST", "/projects/etl/pause").json()["paused"]["note"] == ""
    types = list(Event.objects.order_by("pk").values_list("type", flat=True))
    assert types == ["project.paused", "project.paused", "project.resumed", "project.paused"]
    wrong = problems(admin("POST", "/projects/etl/pause", {"note": "two\nlines"}))
    assert wrong == {"/note": "Remove the control characters; keep it on one line."}


@pytest.mark.django_db(transaction=True)
def test_planner_and_pages_are_told_of_every_change(operator: Api, project: Project) -> None:
    with listening(ENGINE_CHANNEL) as engine, listening(LIVE_CHANNEL) as pages:
        for method, path, body in (
            ("PATCH", "limits", {"running": 5}),
            ("POST", "pause", {}),
            ("POST", "resume", None),
        ):
            answer = operator(method, f"/projects/etl/{path}", body)
            assert answer.status_code == 200, answer.content
            assert engine() == ["jobs"]
            assert [json.loads(notice) for notice in pages()] == [{"resync": [project.pk]}]
        operator("POST", "/projects/etl/resume")
        assert (engine(), pages()) == ([], [])


@pytest.mark.django_db
def test_an_operator_makes_a_project_with_its_first_admin(operator: Api) -> None:
    ada = make_user("ada")
    answer = operator("POST", "/projects", {"slug": "etl", "name": "Loading", "admin": "ada"})
    assert (answer.status_code, answer["Location"]) == (201, "/api/v1/projects/etl")
    made = answer.json()
    assert (made["slug"], made["name"], made["weight"]) == ("etl", "Loading", 100)
    assert set(made["limits"].values()) == {None}
    assert operator("GET", "/projects/etl").json() == made
    assert Api(ada)("GET", "/whoami").json()["projects"] == [
        {"slug": "etl", "name": "Loading", "role": "admin"}
    ]
    again = operator("POST", "/projects", {"slug": "etl"})
    assert (again.status_code, again.json()["code"]) == (409, "conflict")
    told = problems(operator("POST", "/projects", {"slug": "a b", "nam": "x"}))
    assert set(told) == {"/slug", "/nam"}
    assert set(problems(operator("POST", "/projects", {"slug": "b", "admin": "eve"}))) == {"/admin"}
    assert Project.objects.exclude(slug="default").count() == 1
