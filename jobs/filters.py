"""What a list of jobs is narrowed to: the same query string on the pages and in the API.

`state` and `project` may repeat or be comma-separated; `label` is `key=value` and may
repeat (all must hold); `name` is a prefix; `q` is a job's number or a name's prefix;
`since` and `until` are RFC 3339 times of submission (from, and before).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Protocol

from django.db.models import Q
from django.utils.dateparse import parse_datetime
from django.utils.timezone import is_naive

from jobs.states import JobState
from projects.errors import FieldProblem, Invalid
from projects.strict import text_problem

NAMES = ("state", "project", "provider", "name", "label", "since", "until", "q")
MAX_TEXT = 255
MAX_ITEMS = 50
_MAX_ID = 2**63 - 1


class Query(Protocol):
    """A parsed query string, as Django's QueryDict is one."""

    def getlist(self, key: str) -> list[str]: ...


@dataclass(frozen=True, slots=True)
class JobFilter:
    """A narrowing of the jobs an actor may see. Empty: all of them."""

    states: frozenset[JobState] = frozenset()
    projects: frozenset[str] = frozenset()
    provider: str = ""
    name: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    since: datetime | None = None
    until: datetime | None = None
    q: str = ""

    def without_states(self) -> JobFilter:
        """The same for every state, for the counts beside the state filters."""
        return replace(self, states=frozenset())

    def as_query(self) -> dict[str, list[str]]:
        """The query string's fields that make this filter again."""
        fields: dict[str, list[str]] = {
            "state": [str(state) for state in sorted(self.states)],
            "project": sorted(self.projects),
            "provider": [self.provider] if self.provider else [],
            "name": [self.name] if self.name else [],
            "label": [f"{key}={value}" for key, value in sorted(self.labels.items())],
            "since": [self.since.isoformat()] if self.since else [],
            "until": [self.until.isoformat()] if self.until else [],
            "q": [self.q] if self.q else [],
        }
        return {name: values for name, values in fields.items() if values}

    def condition(self) -> Q:
        """The filter as a database condition."""
        where = Q()
        if self.states:
            where &= Q(state__in=sorted(self.states))
        if self.projects:
            where &= Q(project__slug__in=sorted(self.projects))
        if self.provider:
            where &= Q(provider__name=self.provider)
        if self.name:
            where &= Q(name__startswith=self.name)
        if self.labels:
            where &= Q(labels__contains=dict(self.labels))
        if self.since:
            where &= Q(created_at__gte=self.since)
        if self.until:
            where &= Q(created_at__lt=self.until)
        if self.q:
            named = Q(name__startswith=self.q)
            where &= named | Q(pk=int(self.q)) if _is_id(self.q) else named
        return where


def read_filter(query: Query) -> JobFilter:
    """The filter in a query string. Raises Invalid; the pointer is the field's name."""
    problems: list[FieldProblem] = []
    single = {name: _single(query, name, problems) for name in ("provider", "name", "q")}
    states = _states(_several(query, "state", problems), problems)
    found = JobFilter(
        states=states,
        projects=frozenset(_several(query, "project", problems)),
        provider=single["provider"],
        name=single["name"],
        labels=_labels(query.getlist("label"), problems),
        since=_moment(_single(query, "since", problems), "since", problems),
        until=_moment(_single(query, "until", problems), "until", problems),
        q=single["q"].strip(),
    )
    if problems:
        raise Invalid(problems)
    return found


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 20 and 0 < int(text) <= _MAX_ID


def _usable(name: str, values: Sequence[str], problems: list[FieldProblem]) -> list[str]:
    """The values that can be asked for at all."""
    if len(values) > MAX_ITEMS:
        problems.append(FieldProblem(f"/{name}", f"At most {MAX_ITEMS} values."))
    fitting = []
    for value in values[:MAX_ITEMS]:
        if problem := text_problem(value):
            problems.append(FieldProblem(f"/{name}", problem))
        elif len(value) > MAX_TEXT:
            problems.append(FieldProblem(f"/{name}", f"At most {MAX_TEXT} characters."))
        else:
            fitting.append(value)
    return fitting


def _single(query: Query, name: str, problems: list[FieldProblem]) -> str:
    values = _usable(name, query.getlist(name), problems)
    if len(values) > 1:
        problems.append(FieldProblem(f"/{name}", "Give it only once."))
    return values[0] if values else ""


def _several(query: Query, name: str, problems: list[FieldProblem]) -> list[str]:
    joined = (part.strip() for value in query.getlist(name) for part in value.split(","))
    return _usable(name, [part for part in joined if part], problems)


def _states(words: Sequence[str], problems: list[FieldProblem]) -> frozenset[JobState]:
    known = set(JobState)
    if any(word not in known for word in words):
        problems.append(FieldProblem("/state", f"Use one of: {', '.join(JobState)}."))
    return frozenset(JobState(word) for word in words if word in known)


def _labels(pairs: Sequence[str], problems: list[FieldProblem]) -> dict[str, str]:
    labels: dict[str, str] = {}
    for pair in _usable("label", pairs, problems):
        key, equals, value = pair.partition("=")
        if not (key and equals):
            problems.append(FieldProblem("/label", "Write key=value."))
        elif labels.setdefault(key, value) != value:
            problems.append(FieldProblem("/label", f"{key} cannot have two values."))
    return labels


def _moment(text: str, name: str, problems: list[FieldProblem]) -> datetime | None:
    if not text:
        return None
    try:
        # In a query string an unescaped + of the offset arrives as a blank.
        moment = parse_datetime(text.replace(" ", "+") if "T" in text else text)
        # In UTC, because Postgres takes no offset beyond 15:59.
        moment = None if moment is None or is_naive(moment) else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        moment = None
    if moment is None:
        problems.append(
            FieldProblem(f"/{name}", "Write a time with its offset: 2026-01-31T12:00:00Z.")
        )
        return None
    return moment
