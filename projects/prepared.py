"""Querysets of one shape that are compiled once, for the reads that every request and every
job begins with.

Django builds and compiles a query anew at each use and puts the values into its text, so
that the server plans it anew as well. Of a read by key that is nine tenths of the time.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from threading import Lock
from typing import Any, Generic, NamedTuple, TypeVar

from django.db import connection
from django.db.models import Field, ForeignObject, Lookup, Model, QuerySet
from django.db.models.query import get_related_populators

from projects.statements import fetch_prepared

M = TypeVar("M", bound=Model)


class Place(NamedTuple):
    """Stands in a queryset where the n-th argument of `PreparedQuery.fetch` is to be."""

    nth: int


@ForeignObject.register_lookup
@Field.register_lookup
class EqualsAny(Lookup):
    """`field__any=values`: as `in`, but of one shape whatever the number of values."""

    lookup_name = "any"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        """The condition with one parameter, an array."""
        left, values = self.process_lhs(compiler, connection)
        return f"{left} = ANY(%s)", (*values, self.rhs)


class PreparedQuery(Generic[M]):
    """A queryset with places in it. Safe for many threads."""

    def __init__(self, build: Callable[[], QuerySet[M]]) -> None:
        """`build` is called at the first use; it may use `field__any=Place(n)` and constants."""
        self._build = build
        self._lock = Lock()
        self._compiled: _Compiled | None = None

    def fetch(self, *values: Collection[Any]) -> list[M]:
        """The objects, with these values in their places; in this thread's transaction.

        Raises Django's database errors.
        """
        compiled = self._compiled
        if compiled is None:
            with self._lock:
                compiled = self._compiled = self._compiled or _Compiled(self._build())
        return list(compiled.objects(values))


class _Compiled:
    """What Django makes of a queryset: its text, and how rows become objects."""

    def __init__(self, queryset: QuerySet[Any]) -> None:
        self._compiler = compiler = queryset.query.get_compiler(connection=connection)
        self._text, self._parameters = compiler.as_sql()
        select, about = compiler.select, compiler.klass_info
        self._converters = compiler.get_converters([one[0] for one in select[: compiler.col_count]])
        self._model: Any = about["model"]
        self._own = slice(about["select_fields"][0], about["select_fields"][-1] + 1)
        self._names = [one[0].target.attname for one in select[self._own]]
        self._related = get_related_populators(about, select, connection.alias)  # type: ignore[call-arg]
        self._annotated = (compiler.annotation_col_map or {}).items()

    def objects(self, values: tuple[Collection[Any], ...]) -> Iterator[Any]:
        """As QuerySet's own ModelIterable, over rows of a statement the server has prepared."""
        given = [list(values[p.nth]) if isinstance(p, Place) else p for p in self._parameters]
        rows = fetch_prepared(self._text, given)
        for row in self._compiler.apply_converters(rows, self._converters):
            made = self._model.from_db(connection.alias, self._names, row[self._own])
            for populator in self._related:
                populator.populate(row, made)
            for name, place in self._annotated:
                setattr(made, name, row[place])
            yield made
