"""What an address of the activity asks for, read and checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.http import QueryDict
from django.utils import timezone

from jobs.query import moment_of
from projects.activity import ActivityFilter, Who
from projects.actor import Actor
from projects.selectors import project_named

FIELDS = ("who", "person", "project", "type", "subject", "since")
SUBJECTS = ("job", "provider", "project", "token", "user", "instance")
TYPES = (
    ("job", "Jobs"),
    ("job.submitted", "Submitted"),
    ("job.cancel_requested", "Cancel requested"),
    ("job.cancelled", "Cancelled"),
    ("job.released", "Released"),
    ("job.failed", "Failed"),
    ("job.retried", "Retried"),
    ("attempt", "Attempts"),
    ("provider", "Providers"),
    ("project", "Projects"),
    ("member", "Members"),
    ("token", "Tokens"),
    ("password", "Passwords"),
    ("instance", "Settings"),
    ("retention", "Deleted by age"),
)
"""The types that the page offers; addresses may name any."""
PERIODS = (("1h", "Last hour"), ("24h", "Last day"), ("7d", "Last week"), ("30d", "Last 30 days"))
_TYPE = re.compile(r"[a-z]+(\.[a-z_]+)?")
_SUBJECT = re.compile(r"(?:([a-z]+)[ :])?0*([1-9][0-9]{0,17})")


@dataclass(frozen=True, slots=True)
class Asked:
    """The filter, the fields that ask for it again, and what is wrong with them in sentences."""

    wanted: ActivityFilter
    fields: Mapping[str, str]
    problems: tuple[str, ...] = ()

    def as_query(self, **other: str) -> dict[str, list[str]]:
        """The fields of an address, with these in the place of those."""
        values = {**self.fields, **other}
        return {name: [values[name]] for name in FIELDS if values.get(name)}

    @property
    def is_narrow(self) -> bool:
        """True when more is asked than whose doing."""
        return any(name != "who" for name in self.fields)


def asked(actor: Actor, query: QueryDict) -> Asked:
    """Reads an address; what was typed is kept, whatever it is."""
    given = {name: query.get(name, "").strip()[:150] for name in FIELDS}
    fields = {name: text for name, text in given.items() if text and "\0" not in text}
    problems: list[str] = []
    who = given["who"] or Who.PEOPLE
    if who not in set(Who):
        problems.append(f"“{who}” is nobody; use one of: {', '.join(Who)}.")
    project = project_named(actor, given["project"]) if given["project"] else None
    if given["project"] and project is None:
        problems.append(f"There is no project “{given['project']}” that you can see.")
    if given["type"] and not _TYPE.fullmatch(given["type"]):
        problems.append(f"“{given['type']}” is no type; write job, or job.cancelled.")
    kind, number = _subject(given["subject"], problems)
    wanted = ActivityFilter(
        who=Who(who) if who in set(Who) else Who.PEOPLE,
        person=fields.get("person", ""),
        project=project.pk if project is not None else None,
        type=given["type"],
        subject_kind=kind,
        subject=number,
        since=_since(given["since"], problems),
    )
    return Asked(wanted, fields, tuple(problems))


def _subject(text: str, problems: list[str]) -> tuple[str, int | None]:
    if not text:
        return "", None
    found = _SUBJECT.fullmatch(text)
    if found is None or (found[1] or "job") not in SUBJECTS:
        problems.append(f"“{text}” names nothing; write job:42, provider:3, or a job's number.")
        return "", None
    return found[1] or "job", int(found[2])


def _since(text: str, problems: list[str]) -> datetime | None:
    if not text:
        return None
    moment = moment_of(text.replace(" ", "+") if "T" in text else text)
    if moment is None:
        problems.append(f"“{text}” is no time; write 30m, 24h, 7d, or a day such as 2026-01-31.")
        return None
    return timezone.now() - moment if isinstance(moment, timedelta) else moment
