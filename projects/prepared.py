"""Querysets of one shape that are compiled once, for the reads that every request and every
job begins with.

Django builds and compiles a query anew at each use, and puts the values into its text, so that
the server plans it anew as well. Of a read by key that is nine tenths of the time.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from threading import Lock
from typing import Any, Generic, TypeVar

from django.db import connection
from django.db.models import Expression, Field, ForeignObject, Lookup, QuerySet
from django.db.models.query import ModelIterable, get_related_populators

from projects.statements import fetch_prepared

Row = TypeVar("Row")


class Place(Expression):
    """Stands in a queryset where the n-th argument of `fetch` is to be."""

    def __init__(self, nth: int) -> None:
        super().__init__()
        self.nth = nth

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        """A parameter, which is the place itself until there is a value."""
        return "%s", (self,)


@ForeignObject.register_lookup
@Field.register_lookup
class EqualsAny(Lookup):
    """`field__any=place`: as `in`, but of one shape whatever the number of values."""

    lookup_name = "any"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        """The condition with one parameter, an array."""
        left, values = self.process_lhs(compiler, connection)
        right, array = compiler.compile(self.rhs)
        return f"{left} = ANY({right})", (*values, *array)


def _fetch(text: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    # Django's cursor puts the values into the text, so that the plan is for them.
    with connection.cursor() as cursor:
        cursor.execute(text, values)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


class CompiledQuery(Generic[Row]):
    """A queryset with places in it, whose server makes a plan for the values of each use. Safe
    for many threads."""

    _rows = staticmethod(_fetch)

    def __init__(self, build: Callable[..., QuerySet[Any, Row]]) -> None:
        """`build` is called at the first use, with a place for each value that `fetch` is given."""
        self._build = build
        self._lock = Lock()
        self._compiled: _Compiled | None = None

    def fetch(self, *values: Any) -> list[Row]:
        """The objects, or the tuples of `values_list`, with these values in their places; in
        this thread's transaction. A collection is an array there.

        Raises Django's database errors.
        """
        compiled = self._compiled
        if compiled is None:
            with self._lock:
                if self._compiled is None:
                    self._compiled = _Compiled(self._build(*map(Place, range(len(values)))))
                compiled = self._compiled
        return list(compiled.found(self._rows(compiled.text, compiled.parameters(values))))


class PreparedQuery(CompiledQuery[Row]):
    """A compiled query that is planned once too: for reads by key, of which every use has the
    same plan."""

    _rows = staticmethod(fetch_prepared)


class _Compiled:
    """What Django makes of a queryset: its text, and how rows become objects."""

    def __init__(self, queryset: QuerySet[Any, Any]) -> None:
        self._compiler = compiler = queryset.query.get_compiler(connection=connection)
        self.text, self._parameters = compiler.as_sql()
        shown = [one[0] for one in compiler.select[: compiler.col_count]]
        self._converters = compiler.get_converters(shown)
        objects = queryset._iterable_class is ModelIterable
        self._row: Callable[[Sequence[Any]], Any] = _Objects(compiler).made if objects else tuple

    def parameters(self, values: Sequence[Any]) -> list[Any]:
        """All of them, with the given values in their places."""
        given = [_as_parameter(value) for value in values]
        return [given[one.nth] if isinstance(one, Place) else one for one in self._parameters]

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


def _as_parameter(value: Any) -> Any:
    """As psycopg takes it: of all that holds several, only a list is an array."""
    return list(value) if isinstance(value, Collection) and not isinstance(value, str) else value
