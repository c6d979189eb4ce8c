"""Queries that are compiled once find what the querysets would that they are made of."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Count
from django.test.utils import CaptureQueriesContext

from jobs.models import Job
from jobs.selectors import jobs_of
from jobs.whose import JobsQuery, Whose
from projects.models import Membership, Project, Role
from projects.prepared import CompiledQuery, PreparedQuery
from tests.support.builders import make_actor, make_job, make_project, make_user

pytestmark = pytest.mark.django_db

KINDS = [CompiledQuery, PreparedQuery]


@pytest.mark.parametrize("kind", KINDS)
def test_each_use_has_its_own_values_and_one_compiling(kind: type[CompiledQuery[Job]]) -> None:
    built = 0

    def build(names: object, least: object) -> object:
        nonlocal built
        built += 1
        wanted = Job.objects.filter(name__any=names, priority__gte=least)
        return wanted.select_related("project").annotate(tries=Count("attempts")).order_by("pk")

    query = kind(build)  # type: ignore[arg-type]
    one, two = make_job(name="load", priority=10), make_job(name="lint", priority=20)
    assert query.fetch({"load", "lint"}, 0) == [one, two]
    assert query.fetch(["load", "lint"], 15) == [two]
    assert query.fetch({"load": "a mapping is its keys"}, 0) == [one]
    assert query.fetch((), 0) == []
    with CaptureQueriesContext(connection) as asked:
        (found,) = query.fetch(["load"], 0)
        assert (found.project.slug, found.tries) == (one.project.slug, 0)  # type: ignore[attr-defined]
    assert (len(asked), built) == (1, 1)


@pytest.mark.parametrize("kind", KINDS)
def test_columns_come_as_tuples(kind: type[CompiledQuery[tuple[str, int]]]) -> None:
    query = kind(
        lambda states: (
            Job.objects.filter(state__any=states)
            .order_by("name")
            .values_list("name")
            .annotate(Count("pk"))
        )
    )
    for name in ("load", "load", "lint"):
        make_job(name=name, state="failed")
    make_job(name="other", state="running")
    assert query.fetch(["failed"]) == [("lint", 1), ("load", 2)]


def test_other_rows_and_another_number_of_values_are_refused() -> None:
    query = CompiledQuery[Job](lambda ids: Job.objects.filter(pk__any=ids))
    assert query.fetch([1]) == []
    for values in ([], [[1], [2]]):
        with pytest.raises(TypeError, match="1 values"):
            query.fetch(*values)
    flat = CompiledQuery[int](lambda ids: Job.objects.values_list("pk", flat=True))
    with pytest.raises(TypeError, match="values_list"):
        flat.fetch([1])


def test_an_array_is_of_the_type_of_its_field_so_that_the_server_can_hash_it() -> None:
    long = "x" * 60
    job = make_job(name=long)
    found = Job.objects.filter(project__any=[job.project_id, *range(9)], name__any=[long, "y"])
    assert list(found) == [job]
    assert "::bigint[]" in str(found.query)
    assert "::varchar[]" in str(found.query)


NEWEST = JobsQuery[Job](lambda jobs, least: jobs.filter(pk__gt=least).order_by("-pk")[:100])


@pytest.mark.parametrize("projects", [[], ["etl"], ["etl", "web"], ["etl", "web", "empty"]])
def test_a_person_finds_jobs_of_their_own_projects_only(projects: list[str]) -> None:
    ada, bob = make_user("ada"), make_user("bob")
    for slug in projects:
        Membership.objects.create(project=make_project(slug), user=ada, role=Role.VIEWER)
    some_jobs_of(ada, bob)
    finds_what_the_querysets_would(ada)


def test_a_superuser_finds_those_of_all_projects() -> None:
    ada, bob = make_user("ada", superuser=True), make_user("bob")
    some_jobs_of(ada, bob)
    finds_what_the_querysets_would(ada)


def some_jobs_of(*people: User) -> None:
    for slug in ("etl", "web", "secret"):
        for person in people:
            make_job(project=make_project(slug), submitted_by=person)


def finds_what_the_querysets_would(person: User) -> None:
    actor = make_actor(person)
    seen = list(jobs_of(actor).order_by("-pk"))
    own = [job for job in seen if job.submitted_by_id == person.pk]
    visible = Project.objects.count() if actor.is_superuser else len(actor.roles)
    assert bool(seen) == bool(visible)
    assert NEWEST.fetch(actor, Whose.ALL, 0) == seen
    assert NEWEST.fetch(actor, Whose.MINE, 0) == own
    for newest in seen[:1]:
        assert NEWEST.fetch(actor, Whose.ALL, newest.pk) == []
