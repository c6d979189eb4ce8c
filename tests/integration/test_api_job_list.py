"""Lists of jobs: filters, keyset pages, counts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.http import QueryDict
from django.test import Client
from django.utils import timezone

from jobs.filters import JobFilter, read_filter
from jobs.models import Job
from jobs.selectors import job_state_counts
from jobs.states import JobState
from projects.models import Membership
from tests.support.builders import (
    bearer,
    make_actor,
    make_job,
    make_project,
    make_provider,
    make_user,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada() -> dict[str, str]:
    """The headers of a submitter in the default project."""
    return bearer(make_user("ada", project=make_project("default")))


def listed(client: Client, query: str, headers: dict[str, str]) -> Any:
    response = client.get(f"/api/v1/jobs?{query}", **headers)  # type: ignore[arg-type]
    return response.json()


def names(client: Client, query: str, headers: dict[str, str]) -> list[str]:
    return [job["name"] for job in listed(client, query, headers)["items"]]


def test_pages_are_walked_without_loss_while_jobs_are_submitted(
    client: Client, ada: dict[str, str]
) -> None:
    wanted = [make_job(name=f"job-{n}").pk for n in range(7)]
    seen: list[int] = []
    body = listed(client, "limit=3", ada)
    while True:
        seen += [job["id"] for job in body["items"]]
        if body["next_cursor"] is None:
            break
        make_job()
        body = listed(client, f"limit=3&cursor={body['next_cursor']}", ada)
    assert seen == sorted(wanted, reverse=True)


def test_the_link_header_leads_to_the_next_page_with_the_same_filters(
    client: Client, ada: dict[str, str]
) -> None:
    for n in range(3):
        make_job(name=f"a {n}", spec={"labels": {"team": "x"}})
    response = client.get("/api/v1/jobs?limit=2&label=team%3Dx&name=a%20", **ada)  # type: ignore[arg-type]
    link = response["Link"]
    assert link.endswith('>; rel="next"')
    following = client.get(link[1 : link.index(">")], **ada)  # type: ignore[arg-type]
    assert [job["name"] for job in following.json()["items"]] == ["a 0"]
    assert "Link" not in following


def test_a_cursor_of_other_filters_is_refused(client: Client, ada: dict[str, str]) -> None:
    for _ in range(3):
        make_job()
    cursor = listed(client, "limit=1&state=pending", ada)["next_cursor"]
    good = client.get(f"/api/v1/jobs?limit=2&state=pending&cursor={cursor}", **ada)  # type: ignore[arg-type]
    assert good.status_code == 200
    for query in (f"limit=1&cursor={cursor}", f"state=failed&cursor={cursor}", "cursor=made-up"):
        refused = client.get(f"/api/v1/jobs?{query}", **ada)  # type: ignore[arg-type]
        assert (refused.status_code, refused.json()["code"]) == (400, "bad_request")


def test_every_filter_narrows_the_list(client: Client, ada: dict[str, str]) -> None:
    second = make_project("second")
    Membership.objects.create(project=second, user_id=make_user().pk)
    provider = make_provider("north")
    one = make_job(name="alpha", spec={"labels": {"team": "x", "tier": "1"}})
    make_job(name="alpine", state="failed", provider=provider)
    make_job(name="beta", state="running", provider=provider)
    make_job(name="gamma", state="completed", project=second)
    assert names(client, "", ada) == ["beta", "alpine", "alpha"]
    assert names(client, "state=failed,running", ada) == ["beta", "alpine"]
    assert names(client, "state=failed&state=running", ada) == ["beta", "alpine"]
    assert names(client, "provider=north&state=failed", ada) == ["alpine"]
    assert names(client, "name=alp", ada) == ["alpine", "alpha"]
    assert names(client, "label=team%3Dx&label=tier%3D1", ada) == ["alpha"]
    assert names(client, "label=team%3Dx&label=tier%3D2", ada) == []
    assert names(client, "project=default", ada) == ["beta", "alpine", "alpha"]
    assert names(client, "project=second", ada) == []
    assert names(client, f"q={one.pk}", ada) == ["alpha"]
    assert names(client, "q=be", ada) == ["beta"]
    soon = quote((one.created_at + timedelta(hours=1)).isoformat())
    assert names(client, f"since={soon}", ada) == []
    assert names(client, f"until={soon}", ada) == ["beta", "alpine", "alpha"]
    assert names(client, "since=2020-01-01T00:00:00%2B18:32", ada) == ["beta", "alpine", "alpha"]


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("state=done", "/state"),
        ("limit=0", "/limit"),
        ("limit=201", "/limit"),
        ("limit=x", "/limit"),
        ("limit=%D9%A1", "/limit"),
        ("since=yesterday", "/since"),
        ("since=2026-01-01T00:00:00", "/since"),
        ("until=2026-99-01T00:00:00Z", "/until"),
        ("until=0001-01-01T00:00:00%2B18:00", "/until"),
        ("label=%3Dgold", "/label"),
        ("since=1h&since=2h", "/q"),
        ("q=a%00", "/q"),
        ("q=status%3Afailed", "/q"),
        ("q=%22open", "/q"),
        ("q=a&q=b", "/q"),
        ("sort=name", "/sort"),
        ("project=" + "x" * 300, "/project"),
    ],
)
def test_a_wrong_parameter_is_named(
    client: Client, ada: dict[str, str], query: str, pointer: str
) -> None:
    response = client.get(f"/api/v1/jobs?{query}", **ada)  # type: ignore[arg-type]
    assert response.status_code == 422
    assert [error["pointer"] for error in response.json()["errors"]] == [pointer]


def test_a_filter_makes_the_query_string_that_makes_it_again() -> None:
    text = "state=failed&state=running&project=a&provider=p&name=n&label=k%3Dv+w&q=x"
    wanted = read_filter(QueryDict(text + "&since=2026-01-31T12:00:00%2B02:00"))
    query = QueryDict(mutable=True)
    for name, values in wanted.as_query().items():
        query.setlist(name, values)
    assert read_filter(query) == wanted
    assert read_filter(QueryDict("")) == JobFilter()


def test_the_query_of_the_page_is_taken_by_the_api(client: Client, ada: dict[str, str]) -> None:
    old = timezone.now() - timedelta(hours=30)
    make_job(name="orders-daily", state="failed", labels={"debug": ""})
    make_job(name="orders-hourly", state="failed", labels={"tier": "gold"})
    make_job(name="old-orders", state="failed", created_at=old)
    make_job(name="hourly-report", state="completed", submitted_by=make_user("bob"))

    def found(query: str) -> list[str]:
        return names(client, f"q={quote(query)}", ada)

    assert found("state:failed -label:debug since:24h") == ["orders-hourly"]
    assert found("label:debug") == ["orders-daily"]
    assert found("label:tier=gold") == ["orders-hourly"]
    assert found("state:failed,completed hourly") == ["hourly-report", "orders-hourly"]
    assert found("orders") == ["old-orders", "orders-hourly", "orders-daily"]
    assert found("orders -daily") == ["old-orders", "orders-hourly"]
    assert found("name:orders") == ["orders-hourly", "orders-daily"]
    assert found("name:=orders") == []
    assert found("name:=old-orders,name:=orders-daily") == []
    assert found('name:=old-orders name:="orders-daily"') == ["old-orders", "orders-daily"]
    assert found("name:orders -name:=orders-daily") == ["orders-hourly"]
    assert found("until:1d") == ["old-orders"]
    assert found("by:bob") == ["hourly-report"]
    assert found("-by:bob -name:old") == ["orders-hourly", "orders-daily"]
    assert found("-state:failed") == ["hourly-report"]
    assert found("state:failed -state:failed") == []
    assert found("project:nowhere") == found("by:nobody") == found("provider:none") == []
    assert found("-project:nowhere by:bob,nobody") == ["hourly-report"]
    assert found('"--"') == []


def test_counts_are_exact_for_live_states_and_up_to_a_thousand_for_ended_ones() -> None:
    project = make_project("default")
    actor = make_actor(make_user(project=project))
    pattern = make_job(state="completed", project=project)
    pattern_values = {
        field.attname: getattr(pattern, field.attname)
        for field in Job._meta.concrete_fields
        if not field.primary_key
    }
    Job.objects.bulk_create(Job(**pattern_values) for _ in range(1004))
    make_job(project=project)
    make_job(project=make_project("other"), state="failed")
    counts = job_state_counts(actor, JobFilter().of_state(JobState.FAILED))
    assert counts[JobState.PENDING] == (1, True)
    assert counts[JobState.COMPLETED] == (1000, False)
    assert counts[JobState.FAILED] == (0, True)
