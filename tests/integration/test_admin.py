"""The Django admin: read-only where engines write, scoped, quick, and acting through services."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django_q.models import Schedule

from jobs.models import Job, LogChunk, SavedView, Seen, StatPage
from jobs.queue_models import QueueClass, WaitSpan
from jobs.tasks import keep_retention
from orchestrator.schedules import sync_schedules
from projects import admin_base
from projects.models import (
    MOST_DAYS,
    ApiToken,
    Event,
    InstanceSettings,
    Membership,
    PreferenceRow,
    Project,
    Role,
)
from projects.secrets import decrypt
from providers.models import (
    EngineRequest,
    HealthSample,
    Lease,
    Provider,
    ProviderImage,
    RegistryCredential,
    Stray,
)
from tests.support.attempts import make_attempt
from tests.support.builders import make_job, make_project, make_provider, make_token, make_user
from tests.support.figures import tell
from tests.support.log_rows import append, lines
from tests.support.many_jobs import add_many_jobs

pytestmark = pytest.mark.django_db


@pytest.fixture
def root(client: Client) -> Client:
    """A client signed in as a superuser."""
    client.force_login(make_user("root", superuser=True))
    return client


def listing(model: str) -> str:
    return reverse(f"admin:{model}_changelist")


def act(client: Client, model: str, action: str, rows: list[Any], **more: str) -> HttpResponse:
    data = {"action": action, "_selected_action": [row.pk for row in rows], **more}
    return client.post(listing(model), data, follow=True)  # type: ignore[return-value]


def said(response: HttpResponse) -> str:
    return " ".join(str(message) for message in response.context["messages"])  # type: ignore[attr-defined]


@pytest.fixture
def one_of_each() -> None:
    """A row in every table that has a page."""
    attempt = make_attempt()
    append(attempt, lines(1, 2))
    StatPage.objects.create(attempt=attempt, page=1, body=b"")
    make_token(make_user())
    Membership.objects.create(project=make_project(), user=make_user("member"), role=Role.SUBMITTER)
    Event.objects.create(
        subject_kind="job", subject_id=attempt.job_id, type="job.started", actor_kind="host"
    )
    HealthSample.objects.create(provider=attempt.provider, health="healthy")
    EngineRequest.objects.create(
        provider=attempt.provider, kind="probe", deadline="2026-01-01T00:00Z"
    )
    Stray.objects.create(provider=attempt.provider, uid="u", job=7, attempt=1, handle={})
    Lease.objects.create(
        name="scheduler", expires_at="2026-01-01T00:00Z", acquired_at="2026-01-01T00:00Z"
    )


admin.autodiscover()  # as the addresses do it, which are not loaded yet
OURS = [m for m in admin.site._registry if m._meta.app_label in {"jobs", "providers", "projects"}]


def test_every_table_of_ours_has_a_page() -> None:
    shown_within_another = {RegistryCredential, Membership}
    labels = ("jobs", "providers", "projects")
    models = {m for label in labels for m in apps.get_app_config(label).get_models()}
    ones_own = {PreferenceRow, SavedView, Seen}  # nobody's business but that person's
    planners_own = {QueueClass, WaitSpan, ProviderImage}  # told on the pages of what they are of
    assert models - shown_within_another - ones_own - planners_own == set(OURS)


@pytest.mark.parametrize("model", [*OURS, User], ids=lambda model: model.__name__)
def test_every_page_opens(root: Client, one_of_each: None, model: type[Any]) -> None:
    name = f"{model._meta.app_label}_{model._meta.model_name}"
    assert root.get(listing(name)).status_code == 200
    assert root.get(listing(name), {"q": "7"}).status_code == 200
    row = model._default_manager.first()
    assert root.get(reverse(f"admin:{name}_change", args=[row.pk])).status_code == 200


@pytest.mark.parametrize("model", OURS, ids=lambda model: model.__name__)
def test_what_engines_own_has_no_form(root: Client, one_of_each: None, model: type[Any]) -> None:
    name = f"{model._meta.app_label}_{model._meta.model_name}"
    edited = {Project, Provider, InstanceSettings}
    row = model._default_manager.first()
    page = root.get(reverse(f"admin:{name}_change", args=[row.pk])).content.decode()
    assert ('name="_save"' in page) == (model in edited)
    answer = root.post(reverse(f"admin:{name}_delete", args=[row.pk]), {"post": "yes"})
    assert answer.status_code == 403
    assert model._default_manager.filter(pk=row.pk).exists()


def test_check_30_the_list_of_jobs_takes_few_queries_with_ten_thousand_rows(root: Client) -> None:
    for number in range(40):
        user, project = make_user(), make_project()
        make_job(project=project, submitted_by=user, provider=make_provider(), state="running",
                 name=f"row-{number}")  # fmt: skip
    taken = {}
    for rows in (40, 10_000):
        add_many_jobs(Job.objects.latest("pk"), rows - Job.objects.count())
        with CaptureQueriesContext(connection) as queries:
            response = root.get(listing("jobs_job"))
        assert response.context["cl"].result_count == rows
        taken[rows] = len(queries)
    tell("check 30", f"queries of the list of jobs, by rows: {taken} (wanted: 12)")
    assert taken[40] == taken[10_000] <= 12


def test_a_long_table_is_counted_no_further_than_is_paged(
    root: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admin_base, "MOST_ROWS", 3)
    for _ in range(5):
        make_job()
    response = root.get(listing("jobs_job"))
    assert response.context["cl"].result_count == 3


def test_jobs_are_found_by_number_and_by_the_beginning_of_their_name(root: Client) -> None:
    wanted, other = make_job(name="nightly-build"), make_job(name="other")
    for term in (str(wanted.pk), "nightly"):
        found = root.get(listing("jobs_job"), {"q": term}).context["cl"].result_list
        assert [job.pk for job in found] == [wanted.pk], term
    assert other.pk != wanted.pk


def test_a_job_shows_its_reason_in_words_its_page_and_no_secret(root: Client) -> None:
    job = make_job(state="failed", spec={"secret_env": {"TOKEN": "hunter2"}})
    page = root.get(reverse("admin:jobs_job_change", args=[job.pk])).content.decode()
    assert "The program exited with code 3." in page
    assert "TOKEN" in page
    assert "hunter2" not in page
    assert reverse("jobs:detail", args=[job.pk]) in page


def test_check_30_cancelling_here_does_and_records_what_it_does_on_the_pages(root: Client) -> None:
    """All but where it was done."""
    told: dict[str, list[Any]] = {}
    for via in ("admin", "web"):
        jobs = [make_job(name="waits"), make_job(name="runs", state="running")]
        jobs.append(make_job(name="is over", state="completed"))
        if via == "admin":
            act(root, "jobs_job", "cancel", jobs, confirmed="yes")
        else:
            for job in jobs:
                root.post(reverse("jobs:cancel", args=[job.pk]))
        found = Job.objects.filter(pk__in=[job.pk for job in jobs]).order_by("pk")
        events = Event.objects.filter(subject_kind="job", subject_id__in=[job.pk for job in found])
        assert {event.via for event in events} == {via}
        told[via] = [
            [(job.name, job.state, job.cancel_requested_by, job.reason_detail) for job in found],
            [
                (event.type, event.source, event.target, event.reason, event.actor_name)
                for event in events.order_by("subject_id", "pk")
            ],
        ]
    assert told["admin"] == told["web"]
    assert [event[0] for event in told["web"][1]] == ["job.cancelled", "job.cancel_requested"]


PARTS = {LogChunk, StatPage, EngineRequest, HealthSample, Lease, Stray}
"""Shown on the pages of what they are parts of: attempts, providers."""
OF_NO_PAGE = PARTS | {ApiToken, Event, InstanceSettings}


@pytest.mark.parametrize(
    "model", [m for m in OURS if m not in OF_NO_PAGE], ids=lambda model: model.__name__
)
def test_check_30_every_object_links_to_its_page(
    root: Client, one_of_each: None, model: type[Any]
) -> None:
    row = model._default_manager.latest("pk")
    page = root.get(reverse(f"admin:{row._meta.db_table}_change", args=[row.pk]))
    link = re.search(r'href="([^"]+)" class="viewsitelink"', page.content.decode())
    assert link is not None
    assert root.get(link[1]).status_code == 200


def test_cancelling_asks_first_and_then_counts_what_happened(root: Client) -> None:
    jobs = [make_job(), make_job(), make_job(state="running"), make_job(state="completed")]
    asked = act(root, "jobs_job", "cancel", jobs)
    assert "Yes: cancel jobs" in asked.content.decode()
    assert Job.objects.filter(state="pending").count() == 2
    answer = act(root, "jobs_job", "cancel", jobs, confirmed="yes")
    assert said(answer) == "2 cancelled, 1 told to stop, 1 already finished"
    assert Job.objects.filter(state="cancelled").count() == 2
    event = Event.objects.filter(type="job.cancelled").first()
    assert event is not None
    assert (event.actor_name, event.via) == ("root", "admin")


def test_jobs_are_run_again_and_released(root: Client) -> None:
    job, held = make_job(state="failed"), make_job(held=True, reason="held")
    assert said(act(root, "jobs_job", "rerun", [job], confirmed="yes")) == "1 submitted again"
    assert Job.objects.filter(rerun_of=job, state="pending").count() == 1
    answer = act(root, "jobs_job", "release", [held, job], confirmed="yes")
    assert said(answer) == "1 released, 1 not held"


def test_too_many_at_once_are_refused(root: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin_base, "MOST_AT_ONCE", 2)
    jobs = [make_job() for _ in range(3)]
    answer = act(root, "jobs_job", "cancel", jobs, confirmed="yes")
    assert "nothing was done" in said(answer)
    assert Job.objects.filter(state="pending").count() == 3


def staff_of(client: Client, project: Project, role: Role, *permissions: str) -> Client:
    """Signs in a staff member of one project with these Django permissions."""
    user = make_user("clerk", project=project, role=role, staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client.force_login(user)
    return client


def test_staff_see_the_jobs_of_their_own_projects_only(client: Client) -> None:
    mine, foreign = make_job(project=make_project()), make_job(project=make_project("foreign"))
    attempt = make_attempt(job=foreign)
    staff = staff_of(client, mine.project, Role.VIEWER, "view_job", "view_attempt")
    page = staff.get(listing("jobs_job"))
    assert [job.pk for job in page.context["cl"].result_list] == [mine.pk]
    assert "foreign" not in page.content.decode()
    for name, pk in (("jobs_job", foreign.pk), ("jobs_attempt", attempt.pk)):
        # Django's admin answers an unknown number by going to the index with a warning.
        answer = staff.get(reverse(f"admin:{name}_change", args=[pk]))
        assert answer.status_code == 302


def test_actions_need_the_permission_and_the_role(client: Client) -> None:
    job = make_job(project=make_project())
    staff = staff_of(client, job.project, Role.VIEWER, "view_job")
    assert 'value="cancel"' not in staff.get(listing("jobs_job")).content.decode()
    act(staff, "jobs_job", "cancel", [job], confirmed="yes")
    clerk = User.objects.get(username="clerk")
    clerk.user_permissions.add(Permission.objects.get(codename="change_job"))
    answer = act(staff, "jobs_job", "cancel", [job], confirmed="yes")
    assert said(answer) == "1 not permitted"
    assert Job.objects.get(pk=job.pk).state == "pending"


def test_providers_are_activated_drained_and_deactivated(root: Client) -> None:
    provider = make_provider()
    for action, mode in (("drain", "draining"), ("deactivate", "inactive"), ("activate", "active")):
        answer = act(root, "providers_provider", action, [provider], confirmed="yes")
        assert said(answer) == f"1 {mode}"
        assert Provider.objects.get(pk=provider.pk).mode == mode


def test_a_provider_with_live_attempts_is_kept(root: Client) -> None:
    busy, idle = make_attempt().provider, make_provider()
    answer = act(root, "providers_provider", "take_out", [busy, idle], confirmed="yes")
    assert said(answer) == (
        "1 deleted, 1 kept: attempts are live there, or their containers are left"
    )
    assert [p.pk for p in Provider.objects.filter(deleted_at=None)] == [busy.pk]


def provider_form(**fields: str) -> dict[str, str]:
    empty = {
        "options": "{}",
        "labels": "{}",
        "mount_allow_list": "[]",
        "gpus": "0",
        "strategy": "spread",
    }
    formset = {"credentials-TOTAL_FORMS": "0", "credentials-INITIAL_FORMS": "0"}
    return {"name": "new", "kind": "fake", "mode": "active", **empty, **formset, **fields}


def test_a_provider_is_added_with_a_credential_through_the_services(root: Client) -> None:
    data = provider_form(memory_mb="4096") | {
        "credentials-TOTAL_FORMS": "1",
        "credentials-0-registry": "registry.example:5000",
        "credentials-0-username": "robot",
        "credentials-0-password": "s3cret pass",
    }
    answer = root.post(reverse("admin:providers_provider_add"), data)
    assert answer.status_code == 302, answer.context["errors"]
    provider = Provider.objects.get(name="new")
    assert provider.memory_mb == 4096
    credential = RegistryCredential.objects.get(provider=provider)
    assert decrypt(bytes(credential.secret)) == b"s3cret pass"
    types = set(Event.objects.values_list("type", flat=True))
    assert {"provider.created", "credential.set"} <= types
    change = reverse("admin:providers_provider_change", args=[provider.pk])
    assert "s3cret" not in root.get(change).content.decode()


def project_form(**fields: str) -> dict[str, str]:
    formset = {"memberships-TOTAL_FORMS": "0", "memberships-INITIAL_FORMS": "0"}
    return {"name": "Loading", **formset, **fields}


def test_a_project_is_made_through_the_service_and_keeps_its_slug(root: Client) -> None:
    answer = root.post(reverse("admin:projects_project_add"), project_form(slug="etl"))
    assert answer.status_code == 302, answer.context["errors"]
    project = Project.objects.get(slug="etl")
    kinds = Event.objects.filter(project=project).values_list("type", flat=True)
    assert sorted(kinds) == ["member.changed", "project.created"]
    change = reverse("admin:projects_project_change", args=[project.pk])
    kept = {"memberships-INITIAL_FORMS": "1", "memberships-TOTAL_FORMS": "1"} | {
        f"memberships-0-{name}": str(value)
        for name, value in project.memberships.values("id", "project", "user", "role")[0].items()
    }
    answer = root.post(change, project_form(slug="other", name="Load") | kept)
    assert answer.status_code == 302, answer.context["errors"]
    project.refresh_from_db()
    assert (project.slug, project.name) == ("etl", "Load")
    renamed = Event.objects.get(project=project, type="project.renamed")
    assert renamed.detail == {"changes": {"name": ["Loading", "Load"]}}
    answer = root.post(change, project_form(name="\u202elive") | kept, follow=True)
    assert "control characters" in said(answer)  # type: ignore[arg-type]
    project.refresh_from_db()
    assert project.name == "Load"


@pytest.mark.parametrize(
    "typed",
    ['{"a": "\\ud800"}', '{"a":' + "[" * 2000 + "]" * 2000 + "}", '{"a": ' + "9" * 5000 + "}"],
    ids=["half of a pair", "too deep", "too many digits"],
)
def test_json_that_nothing_can_be_done_with_is_refused_at_its_field(
    root: Client, typed: str
) -> None:
    for field in ("options", "labels", "mount_allow_list"):
        data = provider_form(**{field: typed})
        answer = root.post(reverse("admin:providers_provider_add"), data)
        assert field in answer.context["adminform"].form.errors
        assert typed in html.unescape(answer.content.decode())
    assert not Provider.objects.filter(name="new").exists()


def test_what_the_services_refuse_is_shown_at_its_field(root: Client) -> None:
    data = provider_form(options='{"memory": 3}', labels='{"": "x"}')
    answer = root.post(reverse("admin:providers_provider_add"), data)
    assert {"options", "labels"} & set(answer.context["adminform"].form.errors)
    assert not Provider.objects.filter(name="new").exists()


def test_a_change_of_a_provider_is_recorded_with_its_fields(root: Client) -> None:
    provider = make_provider("here")
    change = reverse("admin:providers_provider_change", args=[provider.pk])
    answer = root.post(change, provider_form(name="here", slots="3"))
    assert answer.status_code == 302, answer.context["errors"]
    provider.refresh_from_db()
    assert (provider.slots, provider.rev) == (3, 1)
    detail = {"fields": ["slots"], "changes": {"slots": [None, 3]}}
    assert Event.objects.get(type="provider.updated").detail == detail


def test_memberships_are_edited_with_the_person_and_recorded(root: Client) -> None:
    person, project = make_user("ada"), make_project()
    change = reverse("admin:auth_user_change", args=[person.pk])
    data = {
        "username": "ada", "date_joined_0": "2026-01-01", "date_joined_1": "00:00:00",
        "is_active": "on", "memberships-TOTAL_FORMS": "1", "memberships-INITIAL_FORMS": "0",
        "memberships-0-project": str(project.pk), "memberships-0-role": "viewer",
    }  # fmt: skip
    answer = root.post(change, data)
    assert answer.status_code == 302, answer.context["errors"]
    membership = Membership.objects.get(user=person, project=project)
    assert membership.role == "viewer"
    more = {
        "memberships-INITIAL_FORMS": "1", "memberships-0-id": str(membership.pk),
        "memberships-0-user": str(person.pk), "memberships-0-DELETE": "on",
    }  # fmt: skip
    root.post(change, data | more)
    assert not Membership.objects.exists()
    changes = Event.objects.filter(type="member.changed").values_list("source", "target")
    assert list(changes) == [("", "viewer"), ("viewer", "")]


def test_tokens_are_revoked_and_their_digest_is_never_shown(root: Client) -> None:
    make_token(make_user())
    token = ApiToken.objects.get()
    answer = act(root, "projects_apitoken", "revoke", [token], confirmed="yes")
    assert said(answer) == "1 revoked"
    assert ApiToken.objects.get().revoked_at is not None
    page = root.get(reverse("admin:projects_apitoken_change", args=[token.pk])).content.decode()
    assert bytes(token.digest).hex() not in page


def test_a_change_of_the_settings_is_recorded(root: Client) -> None:
    settings, _ = InstanceSettings.objects.get_or_create(pk=1)
    change = reverse("admin:projects_instancesettings_change", args=[1])
    data = {
        "job_retention_days": "90", "log_retention_days": "7",
        "log_limit_bytes": str(settings.log_limit_bytes), "patience_seconds": "3600",
    }  # fmt: skip
    assert root.post(change, data).status_code == 302
    assert Event.objects.get(type="instance.settings").detail == {
        "changes": {"log_retention_days": [30, 7], "patience_seconds": [21600, 3600]}
    }
    too_short = root.post(change, data | {"patience_seconds": "59"})
    assert "Ensure this value is greater than or equal to 60." in too_short.content.decode()
    assert InstanceSettings.objects.get().patience_seconds == 3600


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("job_retention_days", "0"),
        ("job_retention_days", "999999"),  # "for ever": before the year 1, where dates end
        ("log_retention_days", "999999"),
        ("log_limit_bytes", "0"),  # "without a limit": it would keep nothing of what runs
        ("log_limit_bytes", "-1"),
    ],
)
def test_settings_that_housekeeping_or_logs_cannot_use_are_refused(
    root: Client, name: str, wrong: str
) -> None:
    settings, _ = InstanceSettings.objects.get_or_create(pk=1)
    change = reverse("admin:projects_instancesettings_change", args=[1])
    names = ("job_retention_days", "log_retention_days", "log_limit_bytes", "patience_seconds")
    answer = root.post(change, {each: getattr(settings, each) for each in names} | {name: wrong})
    assert "Ensure this value is" in answer.content.decode()
    settings.refresh_from_db()
    assert str(getattr(settings, name)) != wrong


def test_the_longest_that_is_kept_is_a_time_that_housekeeping_can_reckon_with(db: None) -> None:
    kept = {"job_retention_days": MOST_DAYS, "log_retention_days": MOST_DAYS}
    InstanceSettings.objects.update_or_create(pk=1, defaults=kept)
    assert keep_retention() == ""


def test_schedules_can_be_seen_and_not_written(root: Client) -> None:
    sync_schedules()
    row = Schedule.objects.first()
    assert row is not None
    page = root.get(reverse("admin:django_q_schedule_change", args=[row.pk])).content.decode()
    assert row.func in page
    assert 'name="_save"' not in page
    assert root.get(reverse("admin:django_q_schedule_add")).status_code == 403
