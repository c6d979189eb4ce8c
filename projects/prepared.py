"""Querysets of one shape that are compiled once, for the reads that every request and every
job begins with, and for those of Home.

Django builds and compiles a query anew at each use, and puts the values into its text, so that
the server plans it anew as well. Of a read by key that is nine tenths of the time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any, Generic, TypeVar, cast

from django.db import connection
from django.db.models import Expression, Field, ForeignObject, Lookup, QuerySet
from django.db.models.query import ModelIterable, ValuesListIterable, get_related_populators

from projects.statements import fetch_prepared

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class _Given:
    """The parameter of a place, until there are values."""

    nth: int
    several: bool = False

    def of(self, values: Sequence[Any]) -> Any:
        """What it is of these; psycopg takes nothing but a list for an array."""
        value = values[self.nth]
        return list(value) if self.several else value


class Place(Expression):
    """Stands in a queryset where the n-th argument of `fetch` is to be: `field=place`, or
    `field__any=place` for several values."""

    def __init__(self, nth: int) -> None:
        super().__init__()
        self.nth = nth

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        """A parameter."""
        return "%s", (_Given(self.nth),)


@ForeignObject.register_lookup
@Field.register_lookup
class EqualsAny(Lookup):
    """`field__any=values`: as `in`, but of one shape whatever the number of values."""

    lookup_name = "any"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        """The condition with one parameter, an array of the field's own type: psycopg would take
        the smallest that fits, of which the server can make no hash table."""
        left, values = self.process_lhs(compiler, connection)
        right, given = cast("tuple[str, Sequence[Any]]", self.process_rhs(compiler, connection))
        array = [replace(one, several=True) if isinstance(one, _Given) else one for one in given]
        element = self.lhs.output_field.db_type(connection).partition("(")[0]
        return f"{left} = ANY({right}::{element}[])", (*values, *array)


def _fetch(text: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    # Django's cursor puts the values into the text, so that the plan is for them.
    with connection.cursor() as cursor:
        cursor.execute(text, values)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


class CompiledQuery(Generic[Row]):
    """A queryset with places in it, planned by the server for the values of each use. Safe for
    many threads."""

    _rows = staticmethod(_fetch)

    def __init__(self, build: Callable[..., QuerySet[Any, Row]]) -> None:
        """`build` is called at the first use, with a place for each value that `fetch` is given."""
        self._build = build
        self._lock = Lock()
        self._compiled: _Compiled | None = None

    def fetch(self, *values: Any) -> list[Row]:
        """The objects, or the tuples of `values_list`, with these values in their places, always
        as many; in this thread's transaction.

        Raises Django's database errors.
        """
        compiled = self._compiled
        if compiled is None:
            with self._lock:
                if self._compiled is None:
                    places = [Place(n) for n in range(len(values))]
                    self._compiled = _Compiled(self._build(*places), len(values))
                compiled = self._compiled
        return list(compiled.found(self._rows(compiled.text, compiled.parameters(values))))


class PreparedQuery(CompiledQuery[Row]):
    """A compiled query that the server may plan once too: for reads by key, of which the values
    change nothing."""

    _rows = staticmethod(fetch_prepared)


class _Compiled:
    """What Django makes of a queryset: its text, and how rows become objects."""

    def __init__(self, queryset: QuerySet[Any, Any], places: int) -> None:
        self._compiler = compiler = queryset.query.get_compiler(connection=connection)
        self.text, self._parameters = compiler.as_sql()
        self._places = places
        shown = [one[0] for one in compiler.select[: compiler.col_count]]
        self._converters = compiler.get_converters(shown)
        self._row: Callable[[Sequence[Any]], Any] = tuple
        if queryset._iterable_class is ModelIterable:
            self._row = _Objects(compiler).made
        elif queryset._iterable_class is not ValuesListIterable:
            raise TypeError("only objects, and the tuples of values_list, can be compiled")

    def parameters(self, values: Sequence[Any]) -> list[Any]:
        """All of them, with the given values in their places."""
        if len(values) != self._places:
            raise TypeError(f"{self._places} values have a place here, not {len(values)}")
        return [one.of(values) if isinstance(one, _Given) else one for one in self._parameters]

    def found(self, rows: list[tuple[Any, ...]]) -> Iterator[Any]:
        """What the queryset would give of these rows."""
        return map(self._row, self._compiler.apply_converters(rows, self._converters))


class _Objects:
    """How rows become objects, as in QuerySet's own ModelIterable."""

    def __init__(self, compiler: Any) -> None:
        select, about = compiler.select, compiler.klass_info
        self._model: Any = about["model"]
        self._own = slice(about["select_fields"][0], about["select_fields"][-1] + 1)
        self._names = [one[0].target.attname for one in select[self._own]]
        self._related = get_related_populators(about, select, connection.alias)  # type: ignore[call-arg]
        self._annotated = (compiler.annotation_col_map or {}).items()

    def made(self, row: Sequence[Any]) -> Any:
        """The object of one row."""
        made = self._model.from_db(connection.alias, self._names, row[self._own])
        for populator in self._related:
            populator.populate(row, made)
        for name, place in self._annotated:
            setattr(made, name, row[place])
        return made
