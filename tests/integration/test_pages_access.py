"""Who sees which page, and what they may do on it."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from jobs.models import Job
from orchestrator.middleware import NOT_DONE
from projects.models import Project, Role
from providers.models import Mode, Provider
from tests.support.builders import make_job, make_project, make_provider, make_user
from tests.support.pages import signed_in, words_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project("etl")


@pytest.fixture
def provider() -> Provider:
    return make_provider("node-1")


@pytest.fixture
def job(project: Project, provider: Provider) -> Job:
    return make_job(state="running", project=project, provider=provider, name="nightly")


def pages(job: Job, provider: Provider) -> list[str]:
    one, place = f"/jobs/{job.pk}", f"/providers/{provider.pk}"
    return [
        "/jobs",
        one,
        f"{one}?tab=events",
        f"{one}?tab=spec",
        "/_/jobs/rows",
        "/_/jobs/counts",
        *("/queue", "/_/queue/head", "/_/queue/rows", "/activity", "/_/activity"),
        *(f"/_{one}/{part}" for part in ("header", "attempts", "facts", "events")),
        "/providers",
        place,
        "/_/providers",
        f"/_{place}",
    ]


def test_nobody_sees_a_page_without_signing_in(
    client: Client, job: Job, provider: Provider
) -> None:
    for url in ["/", "/jobs/new", "/providers/new", "/_/requests/1", *pages(job, provider)]:
        response = client.get(url)
        assert response.status_code == 302, url
        assert response["Location"].startswith("/login?next="), url


@pytest.mark.parametrize("role", list(Role))
def test_every_member_sees_every_page(
    job: Job, provider: Provider, project: Project, role: Role
) -> None:
    browser = signed_in(make_user(project=project, role=role))
    for url in pages(job, provider):
        assert browser.get(url).status_code == 200, url


def test_a_stranger_finds_no_trace_of_a_foreign_job(job: Job) -> None:
    browser = signed_in(make_user("eve", project=make_project("other")))
    for page in ("/jobs", "/queue", "/activity?who=all"):
        assert "nightly" not in words_of(browser.get(page)), page
    for part in ("", "?tab=events", "?tab=spec"):
        response = browser.get(f"/jobs/{job.pk}{part}")
        assert response.status_code == 404
        assert "nightly" not in response.content.decode()
    for part in ("header", "attempts", "facts", "events"):
        assert browser.get(f"/_/jobs/{job.pk}/{part}").status_code == 404
    for intent in ("cancel", "rerun", "release"):
        assert browser.post(f"/jobs/{job.pk}/{intent}").status_code == 404
    assert browser.get(f"/jobs/new?from={job.pk}").status_code == 404
    job.refresh_from_db()
    assert job.cancel_requested_at is None


def test_a_stranger_sees_no_foreign_job_on_a_provider_they_share(
    job: Job, provider: Provider
) -> None:
    from tests.support.attempts import make_attempt

    make_attempt(job=job, provider=provider)
    browser = signed_in(make_user("eve", project=make_project("other")))
    words = words_of(browser.get(f"/providers/{provider.pk}"))
    assert "nightly" not in words
    assert "1 more that you cannot see" in words


def test_a_viewer_is_offered_nothing_and_may_do_nothing(job: Job, project: Project) -> None:
    browser = signed_in(make_user("vera", project=project, role=Role.VIEWER))
    page = browser.get(f"/jobs/{job.pk}").content.decode()
    assert "/cancel" not in page
    assert "Rerun with edits" not in page
    assert "New job" not in words_of(browser.get("/jobs"))
    for intent in ("cancel", "rerun", "release"):
        assert browser.post(f"/jobs/{job.pk}/{intent}").status_code == 403
    assert browser.get("/jobs/new").status_code == 403
    assert Job.objects.count() == 1


def test_only_operators_manage_providers(provider: Provider, project: Project) -> None:
    member = signed_in(make_user("mia", project=project, role=Role.ADMIN))
    page = member.get(f"/providers/{provider.pk}").content.decode()
    assert "Deactivate" not in page
    assert member.get("/providers/new").status_code == 403
    assert member.post(f"/providers/{provider.pk}/test").status_code == 403
    refused = member.post(f"/providers/{provider.pk}/mode", {"mode": "inactive"})
    assert refused.status_code == 403
    provider.refresh_from_db()
    assert provider.mode == Mode.ACTIVE


def test_the_admin_is_offered_to_whom_it_shows_something(project: Project) -> None:
    member, operator = make_user("mia", project=project), make_user("olga", staff=True)
    reader = make_user("rita", staff=True)
    reader.user_permissions.add(Permission.objects.get(codename="view_event"))
    elsewhere = make_user("sam", staff=True)  # of a model that the admin has no page for
    elsewhere.user_permissions.add(Permission.objects.get(codename="view_session"))
    offered = {
        user.get_username(): 'href="/admin/"' in signed_in(user).get("/projects").content.decode()
        for user in (member, operator, reader, elsewhere, make_user("root", superuser=True))
    }
    assert offered == {"mia": False, "olga": False, "rita": True, "sam": False, "root": True}
    assert "Events" in words_of(signed_in(reader).get("/admin/"))


def test_intents_are_posts_and_carry_a_csrf_token(job: Job, project: Project) -> None:
    user = make_user("ada", project=project)
    browser = signed_in(user)
    assert browser.get(f"/jobs/{job.pk}/cancel").status_code == 405
    careful = Client(enforce_csrf_checks=True)
    careful.force_login(user)
    refused = careful.post(f"/jobs/{job.pk}/cancel")
    assert refused.status_code == 403
    assert "This form has expired" in words_of(refused)
    job.refresh_from_db()
    assert job.cancel_requested_at is None


def test_signing_in_leads_back_to_where_one_wanted_to_go(client: Client) -> None:
    make_user("ada", project=make_project("etl"))
    form = {"username": "ada", "password": "password", "next": "/providers"}
    response = client.post("/login", form)
    assert (response.status_code, response["Location"]) == (302, "/providers")
    wrong = Client().post("/login", form | {"password": "guess"})
    assert wrong.status_code == 200
    assert "correct username and password" in words_of(wrong)
    assert 'value="ada"' in wrong.content.decode()


@pytest.mark.parametrize(
    ("referer", "back"),
    [
        ("http://testserver/jobs/7?tab=events", "/login?next=/jobs/7%3Ftab%3Devents"),
        ("http://elsewhere.example/jobs/7", "/login?next=/"),
        ("http://[", "/login?next=/"),
        ("", "/login?next=/"),
    ],
)
def test_a_button_pressed_after_signing_out_leads_back_to_its_page(
    client: Client, referer: str, back: str
) -> None:
    answer = client.post("/jobs/7/cancel", headers={"Referer": referer})
    assert (answer.status_code, answer["Location"]) == (302, back)


def pressed_signed_out(client: Client, job: Job, **more: str) -> list[str]:
    """A button of the job's page is pressed twice, then somebody signs in; what the pages that
    follow say of it."""
    page = f"http://testserver/jobs/{job.pk}"
    for _ in range(2):
        answer = client.post(f"/jobs/{job.pk}/cancel", headers={"Referer": page, **more})
    words = [words_of(client.get(answer["Location"]))]
    form = {"username": "ada", "password": "password", "next": f"/jobs/{job.pk}"}
    words.append(words_of(client.post("/login", form, follow=True)))
    words.append(words_of(client.get(f"/jobs/{job.pk}")))
    return words


@pytest.mark.parametrize(
    "how", [{"Accept": "text/html,*/*"}, {"HX-Current-URL": "http://testserver/jobs/7"}]
)
def test_what_was_pressed_after_signing_out_is_told_once_to_be_not_done(
    client: Client, job: Job, project: Project, how: dict[str, str]
) -> None:
    make_user("ada", project=project)
    told = [words.count(NOT_DONE) for words in pressed_signed_out(client, job, **how)]
    assert told == [0, 1, 0]
    job.refresh_from_db()
    assert job.cancel_requested_at is None


def test_what_nobody_pressed_is_not_told_to_be_not_done(
    client: Client, job: Job, project: Project
) -> None:
    make_user("ada", project=project)
    for url in ("/", f"/jobs/{job.pk}", "/jobs/new"):
        client.get(url, headers={"Accept": "text/html"})
    client.post("/_/jobs/check", headers={"HX-Current-URL": "http://testserver/jobs/new"})
    client.post("/logout", headers={"Accept": "text/html"})
    told = [NOT_DONE in words for words in pressed_signed_out(client, job, Accept="*/*")]
    assert told == [False, False, False]


def test_signing_in_never_leads_to_another_site(client: Client) -> None:
    make_user("ada")
    form = {"username": "ada", "password": "password", "next": "https://evil.example/"}
    assert client.post("/login", form)["Location"] == "/"


def test_signing_out_ends_the_session() -> None:
    browser = signed_in(make_user("ada"))
    assert browser.get("/logout").status_code == 405
    browser.post("/logout")
    assert browser.get("/jobs").status_code == 302
