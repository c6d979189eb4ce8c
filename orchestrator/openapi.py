"""What makes the generated OpenAPI document whole: request bodies, parameters, problems,
and an example for every operation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from jobs.acts import HoldIn, MoveIn, PriorityIn
from jobs.batch_submit import MAX_BATCH_KEY, JobBatch
from jobs.filters import NAMES
from jobs.schemas import LogLineOut
from jobs.sorts import Sort
from jobs.spec import JobSpec
from jobs.states import JobState
from jobs.submission import MAX_KEY
from jobs.waiting import MOST_SECONDS
from orchestrator.openapi_examples import REQUESTS, RESPONSES
from orchestrator.problems import CONTENT_TYPE
from projects.services import ProjectIn
from projects.shares import PauseIn, ShareChange
from providers.schemas import ProviderChange, ProviderIn

Document = dict[str, Any]
_REF = "#/components/schemas/{model}"

_TEXT = {"type": "string", "maxLength": 255}
_PAGING: dict[str, tuple[Document, str]] = {
    "limit": (
        {"type": "integer", "minimum": 1, "maximum": 200, "default": 50},
        "Most items of this page.",
    ),
    "cursor": ({"type": "string"}, "next_cursor of the page before; bound to the filters."),
}
_FILTERS: dict[str, tuple[Document, str]] = {
    "state": (
        {"type": "array", "items": {"enum": [str(state) for state in JobState]}, "maxItems": 50},
        "Several may be given, also with commas.",
    ),
    "project": ({"type": "array", "items": _TEXT, "maxItems": 50}, "Slugs."),
    "provider": ({"type": "array", "items": _TEXT, "maxItems": 50}, "Names of providers."),
    "by": ({"type": "array", "items": _TEXT, "maxItems": 50}, "User names of submitters."),
    "id": (
        {"type": "array", "items": {"type": "string", "example": "41-80,83"}, "maxItems": 50},
        "Numbers, and runs of them; one of them holds.",
    ),
    "name": (
        {"type": "array", "items": _TEXT, "maxItems": 50},
        "What the name begins with, or after = what it is; one of them holds.",
    ),
    "key": (
        {"type": "array", "items": _TEXT, "maxItems": 50},
        "Concurrency keys; one of them holds.",
    ),
    "label": (
        {"type": "array", "items": _TEXT, "maxItems": 50},
        "key=value, or key alone; all must hold.",
    ),
    "since": (_TEXT, "Submitted at or after: a time, a day, or how long ago (24h)."),
    "until": (_TEXT, "Submitted before."),
    "q": (
        {"type": "string", "maxLength": 2000, "example": "state:failed -label:debug since:24h"},
        "The same as on the page: words as key:value, - to exclude, and words of the name.",
    ),
}
_SORT: dict[str, tuple[Document, str]] = {
    "sort": (
        {"enum": [str(sort) for sort in Sort], "default": str(Sort.NEWEST)},
        "The order. Those of running or of pending jobs need that state in the query.",
    )
}
_LOG: dict[str, tuple[Document, str]] = {
    "attempt": (
        {"oneOf": [{"type": "integer", "minimum": 1}, {"enum": ["all"]}]},
        "Its number; without it the latest; `all`: each under a line with its number.",
    ),
    "stream": ({"enum": ["stdout", "stderr"]}, "Only this one."),
    "tail": (
        {"type": "integer", "minimum": 0, "maximum": 10_000},
        "Only the last lines, as far as they lie in the log's last 2 MiB.",
    ),
    "after": ({"type": "integer", "minimum": 0}, "Go on after this seq."),
    "timestamps": ({"enum": ["0", "1"]}, "Put the engine's time before each line."),
    "follow": ({"enum": ["0", "1"]}, "Stay until the job has ended."),
    "format": ({"enum": ["text", "ndjson"]}, "Instead of the Accept header."),
    "gzip": ({"enum": ["0", "1"]}, "The same as a .gz file."),
}
_STATS: dict[str, tuple[Document, str]] = {
    "attempt": ({"type": "integer", "minimum": 1}, "Its number; without it the latest."),
    "points": (
        {"type": "integer", "minimum": 1, "maximum": 5000, "default": 500},
        "Most readings in the answer.",
    ),
}
_WAIT: dict[str, tuple[Document, str]] = {
    "wait": (
        {"type": "integer", "minimum": 0, "maximum": MOST_SECONDS, "default": 0, "example": 30},
        "Seconds to wait for the job's end, or for a change past `rev`, before answering.",
    ),
    "rev": (
        {
            "type": "string",
            "pattern": "^[0-9]{1,18}(-[0-9]{1,18}-[0-9]{1,18})?$",
            "example": "3-12-2",
        },
        "What you know: an earlier answer's `rev`, or its `told_rev`; with `wait` the answer comes "
        "with the next one.",
    ),
}
PARAMETERS: dict[str, dict[str, tuple[Document, str]]] = {
    "jobs_api_job_list": {name: _FILTERS[name] for name in NAMES} | _SORT | _PAGING,
    "jobs_api_job_detail": _WAIT,
    "jobs_api_job_events": _PAGING,
    "jobs_api_job_logs": _LOG,
    "jobs_api_job_stats": _STATS,
    "orchestrator_api_projects_project_list": _PAGING,
    "providers_api_provider_list": _PAGING,
    "providers_api_provider_delete": {
        "abandon": ({"enum": ["0", "1"]}, "Delete it also while containers are left there.")
    },
}
SUBMITS = {
    "jobs_api_job_submit": MAX_KEY,
    "jobs_api_job_submit_many": MAX_BATCH_KEY,
    "jobs_api_job_rerun": MAX_KEY,
}
"""What submits jobs, with the longest key that it takes."""
BODIES: dict[str, tuple[type[BaseModel], bool]] = {
    "jobs_api_job_submit": (JobSpec, True),
    "jobs_api_job_submit_many": (JobBatch, True),
    "jobs_api_why_job_dry_run": (JobSpec, True),
    "jobs_api_job_rerun": (JobSpec, False),
    "orchestrator_api_projects_project_new": (ProjectIn, True),
    "orchestrator_api_projects_project_limits": (ShareChange, True),
    "orchestrator_api_projects_project_pauses": (PauseIn, False),
    "jobs_api_job_hold": (HoldIn, False),
    "jobs_api_job_reprioritise": (PriorityIn, True),
    "jobs_api_job_move": (MoveIn, True),
    "providers_api_provider_create": (ProviderIn, True),
    "providers_api_provider_update": (ProviderChange, True),
}
_PROBLEM: Document = {
    "type": "object",
    "title": "Problem",
    "description": "RFC 9457. `code` is for programs; `errors` names each wrong field.",
    "required": ["type", "title", "status", "detail", "instance", "code", "errors", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "code": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "detail"],
                "properties": {"pointer": {"type": "string"}, "detail": {"type": "string"}},
            },
        },
        "request_id": {"type": "string"},
    },
}


def complete(document: Mapping[str, Any]) -> Document:
    """The document with everything that ninja cannot know."""
    whole: Document = dict(document)
    schemas = whole["components"].setdefault("schemas", {})
    schemas["Problem"] = _PROBLEM
    _add_model(schemas, LogLineOut)
    for path, operations in whole["paths"].items():
        for method, operation in operations.items():
            _complete(operation, path, method, schemas)
    return whole


def _complete(operation: Document, path: str, method: str, schemas: Document) -> None:
    name = operation["operationId"]
    for parameter in operation["parameters"]:
        if parameter["name"] == "slug":
            parameter["schema"] |= {"pattern": "^[A-Za-z0-9_-]+$"}
        elif parameter["in"] == "path":
            parameter["schema"] |= {"minimum": 0}
    operation["parameters"] += [
        {
            "name": each,
            "in": "query",
            "required": False,
            "schema": schema,
            "description": description,
        }
        for each, (schema, description) in PARAMETERS.get(name, {}).items()
    ]
    if name in SUBMITS:
        operation["parameters"].append(_key(SUBMITS[name]))
    if name in BODIES:
        operation["requestBody"] = _body(name, schemas)
    operation["responses"] = {
        str(status): response for status, response in operation["responses"].items()
    }
    if name == "jobs_api_job_logs":
        operation["responses"]["200"] = _log_response()
    _add_examples(name, operation["responses"])
    if name == "jobs_api_job_detail":
        operation["responses"]["304"] = {"description": "Not changed since that ETag"}
    for status, words in _refusals(path, method, name).items():
        operation["responses"][status] = {
            "description": words,
            "content": {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }


def _refusals(path: str, method: str, name: str) -> dict[str, str]:
    """Which problems an operation may answer."""
    found = {
        "400": "Cannot be read",
        "401": "Not signed in",
        "403": "Not allowed",
        "503": "Too much to do, or the database does not answer; Retry-After tells the seconds",
    }
    if "{" in path:
        found["404"] = "Not there, or not for you to see"
    if method in ("post", "delete", "patch"):
        found["409"] = "Not possible in this state"
    if name in BODIES:
        found |= {"413": "Too large", "415": "Not JSON"}
    if name in BODIES or name in PARAMETERS:
        found["422"] = "Some fields are wrong"
    if name in SUBMITS:
        found["429"] = (
            "The project's jobs that may wait, or that it may submit in a minute, are used up; "
            "of the latter Retry-After tells the seconds until there is one again"
        )
    return found


def _key(longest: int) -> Document:
    """The header that makes a submission safe to repeat."""
    return {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "description": "Any text of your own; repeating it with the same body makes nothing new.",
        # Blanks inside are taken; those at its ends are no part of a header.
        "schema": {
            "type": "string",
            "minLength": 1,
            "maxLength": longest,
            "pattern": "^[!-~]([ -~]*[!-~])?$",
        },
    }


def _add_model(schemas: Document, model: type[BaseModel]) -> None:
    schema = model.model_json_schema(ref_template=_REF)
    schemas.update(schema.pop("$defs", {}))
    schemas[model.__name__] = schema


def _body(name: str, schemas: Document) -> Document:
    model, required = BODIES[name]
    _add_model(schemas, model)
    schema: Document = {"$ref": _REF.format(model=model.__name__)}
    if name == "jobs_api_job_rerun":
        # Any of the spec's fields, none of them required.
        schemas["JobChanges"] = {
            key: value for key, value in schemas["JobSpec"].items() if key != "required"
        } | {"title": "JobChanges", "description": "Fields of the spec to change."}
        schema = {"$ref": _REF.format(model="JobChanges")}
    return {
        "required": required,
        "content": {"application/json": {"schema": schema, "example": REQUESTS[name]}},
    }


def _log_response() -> Document:
    return {
        "description": "OK",
        "content": {
            "text/plain": {"schema": {"type": "string"}},
            "application/x-ndjson": {"schema": {"$ref": _REF.format(model="LogLineOut")}},
            "application/gzip": {"schema": {"type": "string", "format": "binary"}},
        },
    }


def _add_examples(name: str, responses: Document) -> None:
    """Put the operation's example under each of its good answers that has a body."""
    for status, response in responses.items():
        for media, content in response.get("content", {}).items():
            if status.startswith("2"):
                content["example"] = RESPONSES[name][media]
