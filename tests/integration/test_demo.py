"""When the demonstration refuses, and what it makes of people, projects and providers."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from jobs.models import Job
from jobs.services import job_submit
from orchestrator.demo import cast, places
from projects.models import Event, Membership, Project
from providers.models import Provider
from tests.support.builders import make_actor, make_job, make_project, make_spec, make_user
from tests.support.engine_rows import hold

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin() -> User:
    return make_user("root", superuser=True)


def refusal(*words: str) -> str:
    with pytest.raises(CommandError) as refused:
        call_command("demo", *words)
    assert not Provider.objects.exists()
    return str(refused.value)


def test_it_is_refused_where_no_scripted_provider_is_allowed(settings: Any) -> None:
    settings.ALLOW_FAKE_DRIVER = False
    assert "GANTRY_ALLOW_FAKE=1" in refusal()


@pytest.mark.parametrize("time", ["x", "2026-01-31", "3d"])
def test_a_time_that_is_none_or_too_long_is_refused(admin: User, time: str) -> None:
    assert "Write 30m, 6h or 1d; at most 2d." in refusal("--over", time)


def test_it_is_refused_while_no_engine_process_runs(admin: User) -> None:
    assert "make up" in refusal()


def test_it_is_refused_where_others_have_run_jobs_unless_told(admin: User) -> None:
    job_submit(make_actor(admin), data=make_spec())
    make_job(idempotency_key="somebody's own", submitted_by=admin)
    assert "2 jobs here are not of the demonstration" in refusal()
    assert "make up" in refusal("--into-used")


def test_it_takes_no_name_of_a_real_person_or_project(admin: User) -> None:
    hold()
    person = make_user("maya")
    assert "'maya'" in refusal()
    person.delete()
    make_project("billing")
    assert "'billing'" in refusal()
    assert not User.objects.filter(username__in=cast.PEOPLE).exists()


def test_people_and_providers_are_made_once_and_the_people_cannot_sign_in(admin: User) -> None:
    people = cast.assemble(None)
    places.build(people[cast.OPERATOR])
    before = (User.objects.count(), Membership.objects.count(), Event.objects.count())
    people = cast.assemble(None)
    places.build(people[cast.OPERATOR])
    assert (User.objects.count(), Membership.objects.count(), Event.objects.count()) == before
    assert set(cast.PROJECTS) <= set(Project.objects.values_list("slug", flat=True))
    assert set(Provider.objects.values_list("name", flat=True)) == set(places.PLACES)
    assert not User.objects.get(username="maya").has_usable_password()
    assert people["admin"].name == "root"
    assert not Job.objects.exists()


def test_with_a_password_they_can(admin: User) -> None:
    cast.assemble(None)
    cast.assemble("correct horse")
    assert User.objects.get(username="sam").check_password("correct horse")
