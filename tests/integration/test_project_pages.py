"""The pages of projects: shares as limits, use and what waits; edits told before they are made;
the pause."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from jobs.queue_classes import give_classes
from orchestrator import project_page
from orchestrator.scheduling.outlook import Outlook
from orchestrator.share_preview import ProjectLine
from projects.models import Event, Project, Role
from tests.support.attempts import make_attempt
from tests.support.builders import make_job, make_project, make_provider, make_user
from tests.support.pages import signed_in, words_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project("etl")


@pytest.fixture
def operator() -> Client:
    return signed_in(make_user("olga", staff=True))


@pytest.fixture
def admin(project: Project) -> Client:
    return signed_in(make_user("ada", project=project, role=Role.ADMIN))


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    project_page._IN_LINE.forget()


def run(project: Project, number: int) -> None:
    provider = make_provider()
    for _ in range(number):
        job = make_job(state="running", project=project, provider=provider)
        make_attempt(job=job, provider=provider)


def wait(project: Project, number: int, **columns: Any) -> None:
    for _ in range(number):
        make_job(project=project, **columns)
    give_classes()


def limit(project: Project, **columns: Any) -> None:
    Project.objects.filter(pk=project.pk).update(**columns)


FORM = {"weight": "100"}


def preview(browser: Client, **fields: str) -> str:
    return words_of(browser.post("/_/projects/etl/preview", FORM | fields))


def test_the_list_tells_of_each_what_runs_waits_and_is_due_to_it(
    operator: Client, project: Project
) -> None:
    run(project, 2)
    wait(project, 3)
    limit(project, max_running=4, max_queued=10, weight=300)
    page = operator.get("/projects")
    words = words_of(page)
    assert "etl Etl" in words
    assert "2 of 4" in words
    assert "3 of 10" in words
    assert "75 % weight 300" in words  # default has 100
    assert "25 %" in words  # 2 of 8 cores
    assert words_of(operator.get("/_/projects")) in words


def test_who_is_in_no_project_is_told_what_to_do() -> None:
    assert "You are in no project" in words_of(signed_in(make_user()).get("/projects"))


def test_a_member_sees_only_their_projects(admin: Client) -> None:
    make_project("secret")
    assert "secret" not in words_of(admin.get("/projects"))
    assert admin.get("/projects/secret").status_code == 404
    assert admin.get("/projects/nowhere").status_code == 404


def test_a_project_shows_its_limits_its_use_and_its_line(
    admin: Client, operator: Client, project: Project
) -> None:
    run(project, 3)
    wait(project, 2)
    wait(project, 1, held=True, reason="held")
    wait(project, 1, reason="backoff", not_before=timezone.now() + timedelta(hours=1))
    limit(project, max_running=2, max_cpu_millis=16_000, submits_per_minute=100)
    page = admin.get("/projects/etl")
    words = words_of(page)
    assert "3 run, 4 wait." in words
    assert "3 of 2 2 more in line" in words
    assert "3 of 16 2 more in line" in words
    assert "1.5 GiB, no limit 1 GiB more in line" in words
    assert "7 of 100" in words  # submitted in the last minute
    assert "3 run now: nothing new starts until fewer than 2 run." in words
    assert "None of the 2 in line could start at once, were they first in the queue." in words
    assert "ada Admin" in words
    for browser, link in ((admin, False), (operator, True)):
        text = browser.get("/projects/etl").content.decode()
        assert ('href="/projects/etl/edit"' in text) is link
        assert ('href="/queue?project=etl"' in text) is not link  # staff alone see no jobs


def test_many_who_look_at_a_project_do_not_each_plan_its_line(
    admin: Client, operator: Client, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait(project, 2)
    planned: list[Project] = []

    class Counted(ProjectLine):
        def outlook(self, project: Project) -> Outlook:
            planned.append(project)
            return super().outlook(project)

    monkeypatch.setattr(project_page, "ProjectLine", Counted)
    for browser in (admin, operator, admin):
        assert "None of the 2 in line" in words_of(browser.get("/_/projects/etl"))
    assert len(planned) == 1
    limit(project, max_running=1)  # another share is another answer
    admin.get("/_/projects/etl")
    assert len(planned) == 2


def test_an_edit_is_told_in_numbers_before_it_is_made(operator: Client, project: Project) -> None:
    run(project, 3)
    wait(project, 5)
    limit(project, max_running=3)
    told = preview(operator, running="5")
    assert "2 of the 5 in line could start at once. As it is now, none could." in told
    assert "3 would wait: Waiting for etl, which is at its limit of 5 running jobs." in told
    assert "All 5 in line could start at once." in preview(operator)
    told = preview(operator, running="2")
    assert "3 run now: nothing new starts until fewer than 2 run." in told
    assert "None of the 5 in line could start at once." in told
    told = preview(operator, cpu_cores="2.5", memory_gib="0.5", queued="4")
    assert "What runs holds 3 CPU: nothing that needs it starts until it fits into 2.5 CPU." in told
    assert (
        "What runs holds 1.5 GiB: nothing that needs it starts until it fits into 512 MiB." in told
    )
    assert "5 wait now: nothing more may be submitted until fewer than 4 wait." in told
    told = preview(operator, weight="300")
    assert "goes from 50 % to 75 %" in told
    project.refresh_from_db()
    assert (project.max_running, project.weight) == (3, 100)
    assert not Event.objects.filter(type="project.limits").exists()


def test_jobs_larger_than_the_limit_are_told_as_such(operator: Client, project: Project) -> None:
    make_provider()
    wait(project, 2, spec={"resources": {"cpu_cores": 4}})
    told = preview(operator, cpu_cores="2")
    assert "2 would wait: Larger than all that etl may use at once: needs 4 CPU" in told


def test_a_preview_of_a_line_of_many_counts_all_and_places_what_it_read(
    operator: Client, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.share_preview.DEPTH", 3)
    make_provider()
    wait(project, 6)
    assert "3 or more of the 6 in line could start at once." in preview(operator)
    wait(project, 1, priority=80)
    monkeypatch.setattr("orchestrator.share_preview.MOST_CLASSES", 1)
    told = preview(operator)
    assert "The 1 in line could start at once." in told
    assert "There are more kinds of jobs in line than were looked at." in told


def test_saving_sets_the_limits_and_says_what_one_below_use_means(
    operator: Client, project: Project
) -> None:
    run(project, 2)
    answer = operator.post(
        "/projects/etl/edit",
        FORM | {"running": "1", "cpu_cores": "2.5", "memory_gib": "1.5", "gpus": "0"},
        follow=True,
    )
    words = words_of(answer)
    assert "Saved. 2 run now: nothing new starts until fewer than 1 run." in words
    project.refresh_from_db()
    found = (project.max_running, project.max_cpu_millis, project.max_memory_mb, project.max_gpus)
    assert found == (1, 2500, 1536, 0)
    page = operator.get("/projects/etl/edit").content.decode()
    for name, value in (("cpu_cores", "2.5"), ("memory_gib", "1.5"), ("gpus", "0")):
        assert re.search(rf'name="{name}"[^>]*value="{value}"', page), name
    assert "Saved." in words_of(operator.post("/projects/etl/edit", FORM, follow=True))
    project.refresh_from_db()
    assert (project.max_running, project.max_gpus) == (None, None)


@pytest.mark.parametrize(
    ("field", "typed", "words"),
    [
        ("weight", "0", "Must be at least 1."),
        ("weight", "-5", "Must be at least 1."),
        ("weight", "10001", "Must be at most 10000."),
        ("weight", "", "Write a number from 1 to 10,000."),
        ("running", "0", "Use more than 0, or pause the project to let nothing start."),
        ("running", "ten", "Write a whole number."),
        ("cpu_cores", "-1", "Use more than 0, or pause the project to let nothing start."),
        ("cpu_cores", "nan", "Write a number."),
        ("memory_gib", "-3", "Use more than 0, or pause the project to let nothing start."),
        ("memory_gib", "1e300", "Use a smaller number."),
        ("memory_gib", "1e306", "Use a smaller number."),
        ("memory_gib", "-1e306", "Use more than 0, or pause the project to let nothing start."),
        ("cpu_cores", "1e306", "Must be at most 1000000."),
        ("gpus", "-1", "Must be at least 0."),
        ("queued", "99999999999", "Must be at most 1000000."),
        ("submits_per_minute", "0", "Must be at least 1."),
    ],
)
def test_what_is_wrong_is_said_at_its_field_and_what_was_typed_stays(
    operator: Client, project: Project, field: str, typed: str, words: str
) -> None:
    fields = FORM | {"queued": "17"} | {field: typed}
    answer = operator.post("/projects/etl/edit", fields)
    assert answer.status_code == 422
    assert words in words_of(answer)
    page = answer.content.decode()
    assert not typed or f'value="{typed}"' in page
    assert field == "queued" or 'value="17"' in page
    assert words in preview(operator, **{field: typed})
    project.refresh_from_db()
    assert (project.weight, project.max_queued) == (100, None)


def test_who_changes_one_limit_leaves_alone_what_somebody_else_has_changed_meanwhile(
    operator: Client, project: Project
) -> None:
    limit(project, max_memory_mb=1000, max_cpu_millis=2500)
    page = operator.get("/projects/etl/edit").content.decode()
    inputs = [
        dict(re.findall(r'(\w+)="([^"]*)"', tag)) for tag in re.findall(r"<input[^>]*>", page)
    ]
    sent = {one["name"]: one.get("value", "") for one in inputs if "name" in one}
    limit(project, max_running=7, max_memory_mb=4096)
    told = words_of(operator.post("/_/projects/etl/preview", sent | {"gpus": "1"}))
    assert "None of its jobs is in line." in told
    assert operator.post("/projects/etl/edit", sent | {"gpus": "1"}).status_code == 302
    project.refresh_from_db()
    found = (project.max_running, project.max_cpu_millis, project.max_memory_mb, project.max_gpus)
    assert found == (7, 2500, 4096, 1)
    changed = Event.objects.get(type="project.limits").detail["changes"]
    assert changed == {"gpus": [None, 1]}


def test_pausing_keeps_the_note_for_everybody_and_resuming_says_what_comes(
    admin: Client, operator: Client, project: Project
) -> None:
    make_provider()
    wait(project, 2)
    note = "the file server is down"
    words = words_of(admin.post("/projects/etl/pause", {"note": note}, follow=True))
    assert "etl is paused: nothing of it starts." in words
    assert f"ada wrote “{note}”." in words
    assert "All 2 in line could start at once if it were resumed now." in words
    assert f": {note}" in words_of(operator.get("/projects"))
    words = words_of(operator.post("/projects/etl/resume", follow=True))
    assert "etl is resumed: its jobs start when their turn comes." in words
    kinds = Event.objects.filter(subject_kind="project").order_by("pk")
    assert [(e.type, e.actor_name, e.detail) for e in kinds] == [
        ("project.paused", "ada", {"note": note}),
        ("project.resumed", "olga", {}),
    ]


def test_the_queue_of_a_project_leads_to_its_limits_and_tells_of_its_pause(
    admin: Client, project: Project
) -> None:
    for address in ("/queue", "/_/queue/head"):
        page = admin.get(address, {"project": "etl"})
        assert "Limits and use of etl" in words_of(page)
        assert 'href="/projects/etl"' in page.content.decode()
    admin.post("/projects/etl/pause", {"note": "the file server is down"})
    words = words_of(admin.get("/_/queue/head?project=etl"))
    assert "etl is paused: the file server is down. Nothing of it starts." in words


def test_a_note_that_cannot_be_kept_stays_in_its_form(admin: Client, project: Project) -> None:
    note = "x" * 201
    answer = admin.post("/projects/etl/pause", {"note": note})
    assert answer.status_code == 422
    assert "Not paused. Too long: at most 200 characters." in words_of(answer)
    assert note in answer.content.decode()
    project.refresh_from_db()
    assert project.paused_at is None


def test_many_members_are_listed_some_at_a_time(
    operator: Client, admin: Client, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.project_page.MOST_MEMBERS", 2)
    make_user("bob&co", project=project, role=Role.VIEWER)
    assert "And others" not in words_of(operator.get("/projects/etl"))
    make_user("cid", project=project)
    answer = operator.get("/projects/etl")
    assert "ada Admin bob&co Viewer And others" in words_of(answer)
    assert 'href="/projects/etl?members=bob%26co#members"' in answer.content.decode()
    answer = operator.get("/projects/etl?members=bob%26co")
    assert "Members cid Submitter From the first" in words_of(answer)
    assert 'hx-get="/_/projects/etl?members=bob%26co"' in answer.content.decode()
    assert "Members cid Submitter" in words_of(operator.get("/_/projects/etl?members=bob%26co"))
    assert "Nobody comes after these" in words_of(operator.get("/projects/etl?members=zoe"))


def test_an_operator_makes_a_project_and_is_its_first_admin(operator: Client) -> None:
    assert "New project" in words_of(operator.get("/projects"))
    answer = operator.post("/projects", {"slug": "billing", "name": "", "admin": ""}, follow=True)
    words = words_of(answer)
    assert "billing is made. Its share is set with Edit." in words
    assert "olga Admin" in words
    made = Project.objects.get(slug="billing")
    assert (made.name, made.weight) == ("billing", 100)
    told = Event.objects.filter(project=made).order_by("pk")
    assert [(e.type, e.actor_name, e.via) for e in told] == [
        ("project.created", "olga", "web"),
        ("member.changed", "olga", "web"),
    ]
    assert "Project made" in words_of(operator.get("/activity"))


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"slug": ""}, "Use 1 to 63 letters, digits, - or _."),
        ({"slug": "two words"}, "Use 1 to 63 letters, digits, - or _."),
        ({"slug": "etl"}, "There is already a project"),
        ({"slug": "new", "name": "a\0b"}, "Null characters are not allowed"),
        ({"slug": "new", "name": "x" * 121}, "Too long: at most 120 characters."),
        ({"slug": "new", "admin": "nobody"}, "There is nobody of that name who may sign in."),
    ],
)
def test_a_project_that_cannot_be_made_says_why_and_keeps_what_was_typed(
    operator: Client, project: Project, typed: dict[str, str], words: str
) -> None:
    answer = operator.post("/projects", {"name": "Billing"} | typed)
    assert answer.status_code == 422
    assert words in words_of(answer)
    page = answer.content.decode()
    assert '<details class="menu" data-menu open' in page
    assert all(f'value="{text}"' in page for text in typed.values() if text and "\0" not in text)
    assert Project.objects.exclude(slug="default").get() == project


def test_who_does_not_run_the_instance_makes_no_project(admin: Client) -> None:
    assert "New project" not in words_of(admin.get("/projects"))
    assert admin.post("/projects", {"slug": "own"}).status_code == 403
    assert not Project.objects.filter(slug="own").exists()
