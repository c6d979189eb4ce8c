"""The OpenAPI document is true: examples fit it, and the API answers as it says.

Schemathesis makes requests that the document allows, and ones that it does not; every
answer must be one that the document names, shaped as it says, and never a 5xx.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jsonschema_rs
import pytest
import schemathesis
from django.contrib.auth.models import User
from django.core.wsgi import get_wsgi_application
from django.test import Client
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from jobs.states import JobState
from orchestrator.api import api
from orchestrator.api_urls import urlpatterns
from orchestrator.local.image import SAMPLE
from orchestrator.openapi import SUBMITS
from orchestrator.openapi_examples import SPEC
from providers.services import provider_request
from tests.support.attempts import make_attempt
from tests.support.builders import (
    bearer,
    make_actor,
    make_job,
    make_project,
    make_provider,
    make_user,
)

pytestmark = pytest.mark.django_db

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
EXAMPLES_PER_OPERATION = 10

schema = schemathesis.openapi.from_dict(api.document)
schema.app = get_wsgi_application()


@dataclass(frozen=True)
class World:
    """An operator's header, and the ids of what there is to be found."""

    headers: dict[str, str]
    ids: dict[str, int]

    @property
    def meta(self) -> dict[str, Any]:
        """The header as Django's test client takes it."""
        return {"HTTP_AUTHORIZATION": self.headers["Authorization"]}


@pytest.fixture
def world() -> World:
    """A member who is staff; a running job, a provider, a request to its engine."""
    user: User = make_user(project=make_project("default"), staff=True)
    job = make_job(state=JobState.RUNNING, provider=make_provider())
    attempt = make_attempt(job=job, provider=job.provider)
    request = provider_request(make_actor(user), attempt.provider_id, "probe")
    header = {"Authorization": bearer(user)["HTTP_AUTHORIZATION"]}
    return World(
        header, {"job_id": job.pk, "provider_id": attempt.provider_id, "request_id": request.pk}
    )


@pytest.mark.django_db(transaction=True)  # the application closes its connections itself
@schema.parametrize()
@settings(
    max_examples=EXAMPLES_PER_OPERATION,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_one_that_the_document_names(case: Any, world: World) -> None:
    for name, known in world.ids.items():
        drawn = case.path_parameters.get(name)
        if isinstance(drawn, int) and drawn % 2 == 0:
            case.path_parameters[name] = known
    if len(case.path_parameters.get("slug", "")) % 2:
        case.path_parameters["slug"] = "default"
    case.query.pop("follow", None)  # it would wait for the job; test_api_logs.py follows
    case.call_and_validate(headers=world.headers, checks=CHECKS)


def allowed_values(schema: dict[str, Any]) -> list[str]:
    """What a parameter's schema names: its words and its bounds."""
    found = [str(word) for word in schema.get("enum", [])]
    found += [str(schema[bound]) for bound in ("minimum", "maximum") if bound in schema]
    return found + [value for one in schema.get("oneOf", []) for value in allowed_values(one)]


def test_no_value_that_a_parameter_may_have_is_refused(client: Client, world: World) -> None:
    refused, tried = [], 0
    for method, path, operation in operations():
        for parameter in operation["parameters"]:
            if method != "get" or parameter["in"] != "query" or parameter["name"] == "follow":
                continue
            for value in allowed_values(parameter["schema"]):
                # An order of running or of pending jobs needs that state.
                state = {"longest-running": "running"}.get(value, "pending")
                more = {"state": state} if parameter["name"] == "sort" else {}
                query = {parameter["name"]: value} | more
                tried += 1
                answer = client.get(path.format(**world.ids, slug="default"), query, **world.meta)
                if answer.status_code == 422:
                    refused.append((path, query))
    assert tried > 30
    assert refused == []


@pytest.mark.parametrize(("name", "longest"), SUBMITS.items())
def test_the_longest_key_that_is_told_is_taken_and_no_longer_one(
    client: Client, world: World, name: str, longest: int
) -> None:
    (path,) = [path for _, path, found in operations() if found["operationId"] == name]
    held = SPEC | {"hold": True}
    body = {"jobs_api_job_submit": held, "jobs_api_job_submit_many": {"jobs": [held]}}.get(name, {})

    def answered(key: str) -> int:
        where, kind = path.format(**world.ids), "application/json"
        meta = world.meta | {"HTTP_IDEMPOTENCY_KEY": key}
        return client.post(where, body, content_type=kind, **meta).status_code

    key = "a b".ljust(longest, "x")
    assert (answered(key), answered(key + "x")) == (201, 422)


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    """(method, path, operation) of the whole document."""
    return [
        (method, path, operation)
        for path, found in api.document["paths"].items()
        for method, operation in found.items()
    ]


def resolved(content: dict[str, Any]) -> dict[str, Any]:
    """A media type's schema with the components that it refers to."""
    return {**content["schema"], "components": api.document["components"]}


@pytest.mark.parametrize(
    ("method", "path", "operation"), operations(), ids=lambda v: v if isinstance(v, str) else ""
)
def test_every_operation_has_an_example_that_fits_its_schema(
    method: str, path: str, operation: dict[str, Any]
) -> None:
    body = operation.get("requestBody")
    contents = list(body["content"].values()) if body else []
    for status, response in operation["responses"].items():
        if status.startswith("2") and status != "204":
            assert response["content"], f"{method} {path} {status} shows nothing"
            contents += response["content"].values()
    assert contents or "204" in operation["responses"]
    for content in contents:
        jsonschema_rs.validate(resolved(content), content["example"])


def test_the_document_is_openapi_3_1_and_names_every_address(client: Client) -> None:
    client.force_login(make_user(project=make_project("default")))
    document = client.get("/api/v1/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    assert document == api.document
    routed = {
        "/api/" + str(p.pattern).replace("<int:", "{").replace("<slug:", "{").replace(">", "}")
        for p in urlpatterns
        if p.name not in ("api-docs", "api-problems", "api-unknown", "api-openapi_document")
    }
    assert set(document["paths"]) == routed


def test_operations_have_plain_names_and_words(client: Client) -> None:
    for method, path, operation in operations():
        assert operation.get("description"), f"{method} {path} says nothing of itself"
        assert operation["security"], f"{method} {path} needs nobody"
        for parameter in operation["parameters"]:
            assert parameter["in"] == "path" or parameter["description"], (path, parameter["name"])


@pytest.mark.parametrize("schema", ["JobOut", "JobDetailOut", "AttemptOut"])
def test_the_times_of_a_run_tell_whose_clock_they_are_of(schema: str) -> None:
    told = api.document["components"]["schemas"][schema]["properties"]
    for name in ("started_at", "finished_at", "run_seconds"):
        assert told[name].get("description"), f"{schema} does not say what {name} is"


def test_the_docs_page_shows_every_operation_without_script_of_its_own(client: Client) -> None:
    client.force_login(make_user(project=make_project("default")))
    response = client.get("/api/v1/docs")
    page = response.content.decode()
    for method, path, operation in operations():
        assert f'id="{operation["operationId"]}"' in page
        assert f"{method.upper()} {path}" in page
    assert "curl -X POST http://testserver/api/v1/jobs" in page
    assert "default-src 'self'" in response["Content-Security-Policy"]
    assert "style=" not in page
    assert "<script>" not in page


def test_the_docs_page_shows_names_as_code_and_examples_that_a_new_instance_can_run(
    client: Client,
) -> None:
    client.force_login(make_user(project=make_project("default")))
    page = client.get("/api/v1/docs").content.decode()
    assert "With an <code>Idempotency-Key</code> header" in page
    assert SPEC["image"] == SAMPLE


def test_the_docs_page_asks_a_stranger_to_sign_in(client: Client) -> None:
    response = client.get("/api/v1/docs")
    assert (response.status_code, response["Location"]) == (302, "/login?next=/api/v1/docs")
