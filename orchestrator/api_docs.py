"""The API's documentation page, rendered on the server from the OpenAPI document."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from orchestrator.api import api
from orchestrator.context import frame
from orchestrator.problems import TITLES, WHAT_TO_DO, statuses

_PATH_EXAMPLES = {"job_id": "42", "provider_id": "1", "request_id": "7", "slug": "default"}


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation as the page shows it."""

    anchor: str
    method: str
    path: str
    summary: str
    description: str
    parameters: list[Mapping[str, Any]]
    curl: str
    answers: list[tuple[str, str]]
    request: str = ""
    response: str = ""


@dataclass(slots=True)
class Section:
    """The operations of one kind of thing."""

    title: str
    operations: list[Operation] = field(default_factory=list)


@require_safe
def api_docs(request: HttpRequest) -> HttpResponse:
    """Every operation with its parameters, a curl line and an example answer."""
    origin = request.build_absolute_uri("/").rstrip("/")
    context = {
        "sections": sections(api.document, origin),
        "problems": _problems(),
        "origin": origin,
        "schemas": _schemas(api.document),
    }
    return render(request, "api/docs.html", context)


@require_safe
@login_not_required
def api_problems(request: HttpRequest) -> HttpResponse:
    """What each problem means, for anybody: the `type` of a refusal leads here, also that of who
    has no token yet."""
    return render(request, "api/problems.html", frame(request) | {"problems": _problems()})


def _problems() -> list[tuple[str, int, str, str]]:
    """Code, status, title, and what to do, by status."""
    told = statuses()
    found = [(code, told[code], TITLES[code], WHAT_TO_DO[code]) for code in TITLES]
    return sorted(found, key=lambda one: (one[1], one[0]))


def sections(document: Mapping[str, Any], origin: str) -> list[Section]:
    """The document's operations, grouped by their tag."""
    found: dict[str, Section] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            title = operation["tags"][0]
            section = found.setdefault(title, Section(title))
            section.operations.append(_operation(path, method, operation, origin))
    return list(found.values())


def _operation(path: str, method: str, operation: Mapping[str, Any], origin: str) -> Operation:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    example = body.get("example")
    return Operation(
        anchor=operation["operationId"],
        method=method.upper(),
        path=path,
        summary=operation["summary"],
        description=operation.get("description", ""),
        parameters=operation["parameters"],
        curl=_curl(path, method, example, origin),
        answers=[(s, r["description"]) for s, r in operation["responses"].items()],
        request=_pretty(example) if example is not None else "",
        response=_example_answer(operation["responses"]),
    )


def _curl(path: str, method: str, body: Any, origin: str) -> str:
    """A line for a shell that can be pasted as it stands, with the token in $GANTRY_TOKEN."""
    for name, value in _PATH_EXAMPLES.items():
        path = path.replace("{" + name + "}", value)
    parts = ["curl", *([] if method == "get" else ["-X", method.upper()])]
    parts += [shlex.quote(origin + path), '-H "Authorization: Bearer $GANTRY_TOKEN"']
    if body is not None:
        parts += ["--json", shlex.quote(json.dumps(body))]
    return " ".join(parts)


def _example_answer(responses: Mapping[str, Any]) -> str:
    for status, response in responses.items():
        if status.startswith("2"):
            for content in response.get("content", {}).values():
                example = content.get("example")
                return example if isinstance(example, str) else _pretty(example)
    return ""


def _schemas(document: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Name, words and JSON schema of what is sent and answered."""
    schemas = document["components"]["schemas"]
    return [
        (name, schema.get("description", ""), _pretty(schema))
        for name, schema in sorted(schemas.items())
    ]


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
