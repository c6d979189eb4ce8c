"""Events as lines to read: who, through what, what, to which thing, with what change."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.urls import reverse

from jobs.models import Job
from jobs.own_waits import LEFT_CLASS
from jobs.reasons import reason_text
from jobs.templatetags.glances import event_shape, event_words
from projects.activity import PEOPLE, project_slugs
from projects.actor import Actor
from projects.models import ActorKind, Event
from providers.models import Provider

VIA = {
    "web": "these pages",
    "api": "the API",
    "cli": "the command line",
    "admin": "the admin",
    "engine": "an engine process",
}
_WORDS = {
    "instance.renewed": "New identity",
    "instance.settings": "Settings changed",
    "password.changed": "Password changed",
    "project.created": "Project made",
    "project.limits": "Limits changed",
    "project.paused": "Queue paused",
    "project.renamed": "Renamed",
    "project.resumed": "Queue resumed",
    "provider.health": "Health changed",
    "provider.mode": "Mode changed",
    "provider.updated": "Changed",
    "retention.deleted": "Old jobs deleted",
}
_NAMES = {
    "cpu_cores": "CPU",
    "gpus": "GPUs",
    "memory_mb": "MiB of memory",
    "queued": "waiting jobs",
    "running": "running jobs",
    "submits_per_minute": "submitted in a minute",
}
"""Of a project's limits."""
_MARKS = {
    "instance": "shield",
    "project": "user",
    "provider": "server",
    "token": "key",
    "user": "user",
}
_SHOWN_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Subject:
    """What it happened to; `url` is empty where it has no page any more."""

    kind: str
    name: str
    number: int | None = None
    url: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is other than before; either side may be empty, and the name too."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Line:
    """One event to read."""

    event: Event
    who: str
    icon: str
    via: str
    what: str
    shape: str
    """Of the state it came to; empty where `mark`, an icon, says what kind of thing it is."""
    mark: str
    subject: Subject
    project: str
    changes: tuple[Change, ...]
    why: str


def lines(actor: Actor, events: Sequence[Event]) -> list[Line]:
    """The events with the names of what they speak of; four queries, however many they are."""
    slugs = project_slugs(actor, sorted({e.project_id for e in events if e.project_id}))
    jobs = dict(Job.objects.filter(pk__in=_ids(events, "job")).values_list("pk", "name"))
    providers = {
        pk: (name, gone is None)
        for pk, name, gone in Provider.objects.filter(pk__in=_ids(events, "provider")).values_list(
            "pk", "name", "deleted_at"
        )
    }
    users = dict(User.objects.filter(pk__in=_ids(events, "user")).values_list("pk", "username"))
    return [_line(event, slugs, jobs, providers, users) for event in events]


def _ids(events: Sequence[Event], kind: str) -> list[int]:
    return sorted({e.subject_id for e in events if e.subject_kind == kind})


def _line(
    event: Event,
    slugs: Mapping[int, str],
    jobs: Mapping[int, str],
    providers: Mapping[int, tuple[str, bool]],
    users: Mapping[int, str],
) -> Line:
    project = slugs.get(event.project_id or 0, "")
    number = event.subject_id
    match event.subject_kind:
        case "job":
            url = reverse("jobs:detail", args=[number]) if number in jobs else ""
            subject = Subject("job", jobs.get(number, "job"), number, url)
        case "provider":
            name, there = providers.get(number, ("provider", False))
            url = reverse("providers:detail", args=[number]) if there else ""
            subject = Subject("provider", name, None if name != "provider" else number, url)
        case "project":
            url = reverse("project", args=[slugs[number]]) if number in slugs else ""
            subject = Subject("project", slugs.get(number, "project"), None, url)
        case "token":
            name = str(event.detail.get("name") or "token")
            subject = Subject("token", name, None if name != "token" else number)
        case "user":
            name = users.get(number, "user")
            subject = Subject("user", name, None if name != "user" else number)
        case "instance":
            subject = Subject("instance", "this instance")
        case kind:
            subject = Subject(kind, kind, number)
    by_people = event.actor_kind in PEOPLE
    return Line(
        event=event,
        who=event.actor_name or str(event.actor_kind),
        icon="key" if event.actor_kind == ActorKind.TOKEN else "user" if by_people else "pulse",
        via=VIA.get(event.via, event.via) if by_people else "",
        what=_WORDS.get(event.type) or event_words(event),
        shape=event_shape(event) if event.subject_kind == "job" else "",
        mark=_MARKS.get(event.subject_kind, "activity"),
        subject=subject,
        project=project,
        changes=tuple(changes(event)),
        # Who cancelled is told by the line itself.
        why=reason_text(event.reason, event.detail)
        if event.reason not in ("", "cancelled")
        else "",
    )


def changes(event: Event) -> Iterator[Change]:
    """What is other than before, as far as the event tells."""
    detail = event.detail if isinstance(event.detail, dict) else {}
    if event.source != event.target and event.type != "job.submitted":
        nothing = "none" if event.subject_kind == "project" else ""
        yield Change(str(detail.get("user", "")), event.source or nothing, event.target or "none")
    told = detail.get("changes")
    if isinstance(told, dict):
        for name, pair in sorted(told.items()):
            if isinstance(pair, list) and len(pair) == 2:
                words = _NAMES.get(name, "") if event.type == "project.limits" else ""
                yield Change(words or name.replace("_", " "), _text(pair[0]), _text(pair[1]))
    if not event.reason:
        for name, value in sorted(detail.items()):
            if name not in ("changes", "user", "name", "id", "fields", LEFT_CLASS):
                yield Change(name.replace("_", " "), "", _text(value))
        if isinstance(fields := detail.get("fields"), list):
            silent = [
                str(name) for name in fields if not isinstance(told, dict) or name not in told
            ]
            if silent:
                yield Change(", ".join(silent), "", "changed")


def _text(value: Any) -> str:
    if value is None or value == "":
        return "none"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"
