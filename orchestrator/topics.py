"""What a socket may subscribe to, and who may: the rules of the pages, asked again.

A topic is `job:<id>`, `provider:<id>`, `request:<id>`, `providers`, `jobs` (all that the
viewer may see) or `jobs:<project id>`. Whether a thing is missing or foreign makes no
difference: both are denied in the same words.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from jobs.models import Attempt, Job
from projects.actor import Actor
from projects.errors import NotFound
from projects.hub import Key
from projects.live_marks import topic_keys
from projects.models import Role
from providers.selectors import providers_of, request_get

TOPIC_KINDS = ("job", "jobs", "jobs:project", "provider", "providers", "request", "log")
"""Every kind of subscription; the role matrix has a row for each. `log` is the stream of an
attempt's output, which is asked for by job and attempt number."""

_MAX_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Grant:
    """A permitted topic, and the hub keys behind it."""

    topic: str
    keys: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class LogGrant:
    """A log that may be streamed."""

    job_id: int
    attempt_id: int
    number: int


def grants_of(actor: Actor, topics: Iterable[str]) -> list[Grant]:
    """The topics among these that the actor may hear of; a handful of queries."""
    wanted: dict[str, list[int]] = defaultdict(list)
    grants: list[Grant] = []
    for topic in topics:
        kind, colon, text = topic.partition(":")
        number = _id(text)
        if colon and number is not None:
            wanted[kind].append(number)
        elif not colon and kind == "jobs" and _sees_anything(actor):
            grants.append(Grant(topic, topic_keys(actor, topic)))
        elif not colon and kind == "providers" and (actor.may_operate or actor.roles):
            grants.append(Grant(topic, (("providers", None),)))
    grants += _jobs(actor, wanted["job"])
    grants += [
        Grant(f"jobs:{project}", (("jobs", project),))
        for project in wanted["jobs"]
        if actor.may(Role.VIEWER, project)
    ]
    grants += _providers(actor, wanted["provider"])
    grants += _requests(actor, wanted["request"])
    return grants


def log_grant(actor: Actor, job_id: int, number: int) -> LogGrant | None:
    """The log of an attempt, if the actor may see the job."""
    found = (
        Attempt.objects.filter(job_id=job_id, number=number)
        .values_list("pk", "job__project_id")
        .first()
    )
    if found is None or not actor.may(Role.VIEWER, found[1]):
        return None
    return LogGrant(job_id, found[0], number)


def resync_keys(actor: Actor) -> tuple[Key, ...]:
    """The hub keys on which a viewer is told to fetch all anew."""
    projects = actor.project_ids()
    if projects is None or not projects:
        return (("project", None),)
    return tuple(("project", number) for number in sorted(projects))


def _sees_anything(actor: Actor) -> bool:
    return actor.is_superuser or bool(actor.roles)


def _jobs(actor: Actor, ids: list[int]) -> list[Grant]:
    rows = Job.objects.filter(pk__in=ids).values_list("pk", "project_id") if ids else ()
    return [
        Grant(f"job:{pk}", (("job", pk),))
        for pk, project_id in rows
        if actor.may(Role.VIEWER, project_id)
    ]


def _providers(actor: Actor, ids: list[int]) -> list[Grant]:
    found = providers_of(actor).filter(pk__in=ids).values_list("pk", flat=True) if ids else ()
    return [Grant(f"provider:{pk}", (("provider", pk),)) for pk in found]


def _requests(actor: Actor, ids: list[int]) -> list[Grant]:
    grants = []
    for number in ids:
        try:
            request_get(actor, number)
        except NotFound:
            continue
        grants.append(Grant(f"request:{number}", (("request", number),)))
    return grants


def _id(text: str) -> int | None:
    """A canonical id (no sign, no leading zero, no other script's digits) within bounds."""
    if not (text.isascii() and text.isdigit()) or text.startswith("0"):
        return None
    number = int(text) if len(text) < 20 else _MAX_ID + 1
    return number if number <= _MAX_ID else None
