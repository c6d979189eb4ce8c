"""People, projects, providers and jobs for tests, made with few words.

Jobs are put straight into the tables, in whatever state a test needs; tests of how states
come about go through the services instead.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from itertools import count
from typing import Any

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.utils import timezone

from jobs.asks import ask
from jobs.models import Job
from jobs.queue_classes import class_ids
from jobs.queue_models import QueueClass, WaitSpan
from jobs.spec import parse_spec
from jobs.states import ACTIVE, TERMINAL, JobState
from projects import tokens
from projects.actor import Actor, actor_of
from projects.models import Membership, Project, Role
from projects.secrets import seal_values
from providers.models import HealthState, Provider

_numbers = count(1)
_REASONS = {
    JobState.PENDING: "queued",
    JobState.SCHEDULED: "placed",
    JobState.RUNNING: "",
    JobState.COMPLETED: "succeeded",
    JobState.FAILED: "exit_code",
    JobState.CANCELLED: "cancelled",
}
_DETAILS: Mapping[JobState, dict[str, Any]] = {
    JobState.FAILED: {"exit_code": 3},
    JobState.CANCELLED: {"by": "somebody"},
}
_EXIT_CODES = {JobState.COMPLETED: 0, JobState.FAILED: 3}


def make_project(slug: str = "") -> Project:
    """A project; "default" is the one that the first migration made."""
    slug = slug or f"project-{next(_numbers)}"
    return Project.objects.get_or_create(slug=slug, defaults={"name": slug.title()})[0]


def make_user(
    name: str = "",
    *,
    project: Project | None = None,
    role: Role = Role.SUBMITTER,
    staff: bool = False,
    superuser: bool = False,
) -> User:
    """A person with the password "password", a member of `project` if one is given."""
    name = name or f"user-{next(_numbers)}"
    user = User.objects.create(
        username=name,
        password=_password_hash(),
        is_staff=staff or superuser,
        is_superuser=superuser,
    )
    if project is not None:
        Membership.objects.create(project=project, user=user, role=role)
    return user


@cache
def _password_hash() -> str:
    """Hashing is slow on purpose; once is enough."""
    return make_password("password")


def make_actor(user: User, *, via: str = "api") -> Actor:
    """The actor that a request of this person has."""
    return actor_of(user, via=via)


def make_token(user: User) -> str:
    """The text of a new API token."""
    return tokens.issue(user, "test")[1]


def bearer(user: User) -> dict[str, str]:
    """The header with a new token, for Django's test client."""
    return {"HTTP_AUTHORIZATION": f"Bearer {make_token(user)}"}


def make_provider(name: str = "", **columns: Any) -> Provider:
    """A healthy fake provider with 8 cores and 16 GiB, just looked at."""
    found: dict[str, Any] = {
        "kind": "fake",
        "health": HealthState.HEALTHY,
        "probed_at": timezone.now(),
        "found_cpu_millis": 8000,
        "found_memory_mb": 16_384,
    }
    return Provider.objects.create(name=name or f"provider-{next(_numbers)}", **found | columns)


def look_at_providers() -> None:
    """All are looked at anew, as engine processes do all the time: how long a test has taken so
    far must not make one of them a provider that nobody looks at."""
    Provider.objects.update(probed_at=timezone.now())


def make_spec(**fields: Any) -> dict[str, Any]:
    """The body of a small job, with fields of the test's own."""
    return {"name": f"job-{next(_numbers)}", "image": "sample:1"} | fields


def make_job(
    *,
    state: JobState | str = JobState.PENDING,
    project: Project | None = None,
    provider: Provider | None = None,
    spec: Mapping[str, Any] | None = None,
    **columns: Any,
) -> Job:
    """A job in that state, with the columns that the state needs. `reason_since`: when what its
    class tells of a waiting one began."""
    state = JobState(state)
    project = project or make_project("default")
    parsed = parse_spec(make_spec(**(spec or {})) | {"project": project.slug})
    if state in ACTIVE and provider is None:
        provider = make_provider()
    values: dict[str, Any] = {
        "name": parsed.name,
        "spec": parsed.stored(),
        "secrets": seal_values(parsed.secret_env),
        "labels": parsed.labels,
        "image": parsed.image,
        "priority": parsed.priority,
        "cpu_millis": parsed.cpu_millis,
        "memory_mb": parsed.resources.memory_mb,
        "gpus": parsed.resources.gpus,
        "reason": _REASONS[state],
        "reason_detail": _DETAILS.get(state, {}),
        "exit_code": _EXIT_CODES.get(state),
        "finished_at": timezone.now() if state in TERMINAL else None,
        "attempt": 0 if state is JobState.PENDING else 1,
    }
    since = columns.pop("reason_since", None)
    values |= columns
    if values["finished_at"] and values.get("started_at"):
        ran = (values["finished_at"] - values["started_at"]).total_seconds()
        values.setdefault("run_seconds", max(0.0, ran))
    if state is JobState.PENDING and (seconds := values.get("queue_timeout_seconds")):
        values.setdefault("queue_until", timezone.now() + timedelta(seconds=seconds))
    if state is JobState.PENDING and "queue_class" not in values:
        values["queue_class"] = _queue_class(project, values, since)
    return Job.objects.create(project=project, state=state, provider=provider, **values)


_OWN_WAITS = {"queued", "held", "backoff", "requeued"}
"""What a waiting job tells of itself; all else its class tells."""


def _queue_class(project: Project, values: dict[str, Any], since: datetime | None) -> QueueClass:
    """The class of a waiting job. One that is to wait for a reason of its class gets a class of
    its own, which tells it `since` then."""
    asked = ask(Job(**values), project.pk, values["priority"])
    if values["reason"] in _OWN_WAITS:
        return QueueClass.objects.get(pk=class_ids([asked])[asked])
    told = {"reason": values["reason"], "reason_detail": values["reason_detail"]}
    values |= {"reason": "queued", "reason_detail": {}}
    made = QueueClass.objects.create(
        project=project,
        priority=asked.priority,
        digest=uuid.uuid4().bytes,
        demand=json.loads(asked.demand),
        since=since or timezone.now(),
        **told,
    )
    WaitSpan.objects.create(queue_class=made, **told)
    return made
