"""What a list of jobs is narrowed to: the same query string on the pages and in the API.

`q` is a query of words as jobs/query.py reads them. Each key of it is also a field of its
own, for programs: `state=failed&label=team%3Dx` is `q=state:failed label:team=x`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from django.contrib.auth.models import User
from django.db.models import Model, Q
from django.db.models.functions import Now

from jobs.name_words import has_words_of
from jobs.number_lists import Run, read_numbers
from jobs.query import (
    EXACTLY,
    FREE,
    KEYS,
    LISTED,
    Term,
    moment_of,
    problem_of,
    problems_together,
    read_terms,
)
from jobs.states import JobState
from projects.errors import FieldProblem, Invalid
from projects.models import Project
from providers.models import Provider

NAMES = (*KEYS, "q")
MAX_ITEMS = 50
_MAX_ID = 2**63 - 1
# What is named by a text and stored by its id: the column of jobs, and where the name stands.
_NAMED: dict[str, tuple[str, type[Model], str]] = {
    "project": ("project", Project, "slug"),
    "provider": ("provider", Provider, "name"),
    "by": ("submitted_by", User, "username"),
}


class Query(Protocol):
    """A parsed query string, as Django's QueryDict is one."""

    def getlist(self, key: str) -> list[str]: ...


@dataclass(frozen=True, slots=True)
class JobFilter:
    """A narrowing of the jobs an actor may see. Empty: all of them."""

    terms: tuple[Term, ...] = ()

    def __str__(self) -> str:
        """The query that is read as this filter again."""
        return " ".join(str(term) for term in self.terms)

    def without_states(self) -> JobFilter:
        """The same for every state, for the counts beside the state filters."""
        return JobFilter(tuple(term for term in self.terms if term.key != "state"))

    def of_state(self, state: JobState) -> JobFilter:
        """The same for one state."""
        return JobFilter((Term("state", state.value), *self.without_states().terms))

    def narrowed(self, key: str, value: str) -> JobFilter:
        """The same with one more term, in the place of those of its key."""
        rest = tuple(term for term in self.terms if term.key != key)
        return JobFilter((*rest, Term(key, value)))

    def values(self, key: str, *, negated: bool = False) -> list[str]:
        """What is asked of that key, or excluded."""
        return [term.value for term in self.terms if (term.key, term.negated) == (key, negated)]

    def states(self) -> frozenset[JobState]:
        """The states that are listed."""
        among = self.values("state") or list(JobState)
        excluded = self.values("state", negated=True)
        return frozenset(JobState(state) for state in among if state not in excluded)

    def as_query(self) -> dict[str, list[str]]:
        """The query string's fields that make this filter again."""
        return {"q": [str(self)]} if self.terms else {}

    def condition(self) -> Q:
        """The filter as a database condition.

        Names are looked up here, a small query for each kind of them, so that the database
        plans for the very rows that are meant, and walks no list for a name that is nobody's.
        """
        where = Q(state__in=sorted(self.states())) if self.has("state") else Q()
        for key, (column, model, name) in _NAMED.items():
            if self.has(key):
                where &= self._condition_of_names(key, column, model, name)
        begun = Q()
        for term in self.terms:
            if term.key == "name" and not term.negated:
                begun |= _named(term.value)
            elif term.key not in ("state", "key", "id") and term.key not in _NAMED:
                where &= ~_holds(term) if term.negated else _holds(term)
        return where & begun & self._condition_of_keys() & self._condition_of_numbers()

    def numbers(self, *, negated: bool = False) -> list[Run]:
        """The numbers that jobs are asked by, or excluded by, in runs."""
        lists = (read_numbers(text) for text in self.values("id", negated=negated))
        return [run for runs in lists for run in runs or ()]

    def moment(self, key: str) -> Any:
        """The time that `since` or `until` names, for the database; None where it is not given."""
        return next((_moment(value) for value in self.values(key)), None)

    @property
    def is_counted_by_index(self) -> bool:
        """True when nothing is asked but the state, or one that indexes hold with it."""
        return all(t.key == "state" or (t.key == "project" and not t.negated) for t in self.terms)

    def has(self, key: str) -> bool:
        """True when something is asked of that key."""
        return any(term.key == key for term in self.terms)

    def _condition_of_keys(self) -> Q:
        """A job has one concurrency key at most: several are alternatives."""
        keys, excluded = self.values("key"), self.values("key", negated=True)
        where = Q(concurrency_key__in=keys) if keys else Q()
        return where & ~Q(concurrency_key__in=excluded) if excluded else where

    def _condition_of_numbers(self) -> Q:
        """Those of several lists are alternatives."""
        wanted, excluded = self.numbers(), self.numbers(negated=True)
        where = _among(wanted) if wanted else Q()
        return where & ~_among(excluded) if excluded else where

    def _condition_of_names(self, key: str, column: str, model: type[Model], name: str) -> Q:
        wanted, excluded = self.values(key), self.values(key, negated=True)
        found = model._default_manager.filter(**{f"{name}__in": [*wanted, *excluded]})
        ids: dict[str, list[int]] = {}
        for text, pk in found.values_list(name, "pk"):
            ids.setdefault(text, []).append(pk)

        def among(names: list[str]) -> Q:
            return Q(**{f"{column}__in": [pk for each in names for pk in ids.get(each, ())]})

        where = among(wanted) if wanted else Q()
        return where & ~among(excluded) if excluded else where


def read_filter(query: Query) -> JobFilter:
    """The filter in a query string. Raises Invalid; the pointer is the field's name."""
    problems: list[FieldProblem] = []
    texts = query.getlist("q")
    if len(texts) > 1:
        problems.append(FieldProblem("/q", "Give it only once."))
    found, wrong = read_terms(texts[0] if texts else "")
    problems += [FieldProblem("/q", words) for words in wrong]
    terms = list(dict.fromkeys((*_fields(query, problems), *found)))
    problems += [FieldProblem("/q", words) for words in problems_together(terms)]
    if problems:
        raise Invalid(problems)
    return JobFilter(tuple(terms))


def _fields(query: Query, problems: list[FieldProblem]) -> Iterator[Term]:
    """The terms that are fields of their own; a field's first problem tells of the others."""
    for key in KEYS:
        values = list(_given(key, query.getlist(key)))
        wrong = next(filter(None, (problem_of(key, value) for value in values)), "")
        if len(values) > MAX_ITEMS:
            wrong = f"At most {MAX_ITEMS} values."
        if wrong:
            problems.append(FieldProblem(f"/{key}", wrong))
        else:
            yield from (Term(key, value) for value in values)


def _given(key: str, values: Sequence[str]) -> Iterator[str]:
    for value in values:
        if key in LISTED:
            yield from (part.strip() for part in value.split(",") if part.strip())
        elif value:
            # In a query string an unescaped + of a time's offset arrives as a blank.
            is_time = key in ("since", "until") and "T" in value
            yield value.replace(" ", "+") if is_time else value


def _holds(term: Term) -> Q:
    """One term as a condition."""
    if term.key == "since":
        return Q(created_at__gte=_moment(term.value))
    if term.key == "until":
        return Q(created_at__lt=_moment(term.value))
    if term.key == "label":
        key, equals, value = term.value.partition("=")
        return Q(labels__contains={key: value}) if equals else Q(labels__has_key=key)
    if term.key == FREE:
        return _called(term.value)
    return _named(term.value)


def _named(text: str) -> Q:
    """What its name begins with, or after the mark what it is."""
    if text.startswith(EXACTLY):
        return Q(name=text.removeprefix(EXACTLY))
    return _begins_with(text)


def _among(runs: Sequence[Run]) -> Q:
    single = [low for low, high in runs if low == high]
    where = Q(pk__in=single) if single else Q()
    for low, high in runs:
        if low != high:
            where |= Q(pk__gte=low, pk__lte=high)
    return where


def _begins_with(text: str) -> Q:
    return Q(name__startswith=text.removesuffix("*"))


def _called(text: str) -> Q:
    """A job's number, also as "#7", what its name begins with, or whole words of its name."""
    where, number = _begins_with(text) | has_words_of(text), text.removeprefix("#")
    return where | Q(pk=int(number)) if _is_id(number) else where


def _moment(text: str) -> Any:
    """A time; what is so long ago is reckoned by the database's clock."""
    moment = moment_of(text)
    return Now() - moment if isinstance(moment, timedelta) else moment


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 20 and 0 < int(text) <= _MAX_ID
