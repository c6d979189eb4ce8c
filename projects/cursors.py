"""Keyset cursors: where a list goes on, signed and bound to the filters it was made with."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.core import signing

from projects.errors import BadRequest

_SALT = "gantry.cursor"
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """One page of a list; `next_cursor` is None on the last."""

    items: Sequence[Item]
    next_cursor: str | None = None


def make_cursor(last_id: int, filters: Mapping[str, Sequence[str]]) -> str:
    """The cursor after the row with this id."""
    return signing.dumps([_bound_to(filters), last_id], salt=_SALT)


def read_cursor(cursor: str, filters: Mapping[str, Sequence[str]]) -> int:
    """The id after which the list goes on.

    Raises BadRequest for a cursor that is not ours or was made for other filters.
    """
    try:
        bound, last_id = signing.loads(cursor, salt=_SALT)
    except (signing.BadSignature, ValueError, TypeError):
        raise BadRequest("The cursor is not valid; begin again without it.") from None
    if bound != _bound_to(filters):
        raise BadRequest("The cursor belongs to other filters; begin again without it.")
    return int(last_id)


def make_key_cursor(keys: Sequence[float | str], filters: Mapping[str, Sequence[str]]) -> str:
    """The cursor after the row with these keys, of a list that is in an order of its own.

    Name the list among the filters, so that no other list takes its cursors.
    """
    return signing.dumps([_bound_to(filters), list(keys)], salt=_SALT)


def read_key_cursor(
    cursor: str, filters: Mapping[str, Sequence[str]], number: int
) -> Sequence[Any]:
    """The so many keys after which the list goes on. Raises BadRequest as `read_cursor`."""
    try:
        bound, keys = signing.loads(cursor, salt=_SALT)
    except (signing.BadSignature, ValueError, TypeError):
        raise BadRequest("The cursor is not valid; begin again without it.") from None
    if bound != _bound_to(filters) or not isinstance(keys, list) or len(keys) != number:
        raise BadRequest("The cursor belongs to another list; begin again without it.")
    return keys


def _bound_to(filters: Mapping[str, Sequence[str]]) -> str:
    """A short digest of filters, the same in whatever order they were given."""
    text = repr(sorted((name, sorted(values)) for name, values in filters.items() if values))
    return hashlib.sha256(text.encode()).hexdigest()[:12]
