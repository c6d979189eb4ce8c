"""Strict input: what a client sends either fits its model exactly or is refused by field.

Every JSON body goes through `parse_strict`: first bounds that hold for any JSON value
(depth, size, characters that Postgres cannot keep), then a pydantic model without
coercion and without unknown keys. Refusals are `Invalid` with one JSON pointer (RFC 6901)
per wrong field and words that say what to do. The value itself is never repeated: it may
be a secret.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from projects.errors import FieldProblem, Invalid

MAX_DEPTH = 16
MAX_PROBLEMS = 50
_BIGGEST = 2**63

Model = TypeVar("Model", bound=BaseModel)


class StrictModel(BaseModel):
    """A model that takes exactly its fields, of exactly their types."""

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        hide_input_in_errors=True,
        ser_json_inf_nan="strings",
    )


def parse_strict(model: type[Model], data: object, *, most_bytes: int) -> Model:
    """The model made of a decoded JSON value. Raises Invalid, and nothing else, otherwise."""
    if not isinstance(data, dict):
        raise Invalid([FieldProblem("", f"Send a JSON object, not {kind_of(data)}.")])
    problems = list(_unusable(data))
    if problems:
        raise Invalid(problems[:MAX_PROBLEMS])
    size = len(json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode())
    if size > most_bytes:
        raise Invalid(
            [FieldProblem("", f"Shorten it: {size:,} bytes, at most {most_bytes:,} are taken.")]
        )
    try:
        return model.model_validate(data)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        raise Invalid(_distinct(found)[:MAX_PROBLEMS]) from None


def pointer(path: Sequence[str | int]) -> str:
    """The JSON pointer of a path, e.g. `/mounts/0/source`; the whole document is ''."""
    return "".join("/" + _printable(str(part)) for part in path)


def kind_of(value: object) -> str:
    """What a JSON value is, in words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    names = {str: "a string", int: "a number", float: "a number", list: "a list", dict: "an object"}
    return names.get(type(value), type(value).__name__)


def text_problem(text: str) -> str | None:
    """Why this text cannot be stored, or None: NUL and lone surrogates are in no valid UTF-8
    column of Postgres."""
    if "\0" in text:
        return "Remove the NUL character."
    if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
        return "Remove the unpaired surrogate; send valid Unicode."
    return None


def _printable(part: str) -> str:
    """A path's part as a pointer writes it, shortened, and safe to send back."""
    safe = part.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()
    short = safe if len(safe) <= 80 else safe[:79] + "…"
    return short.replace("~", "~0").replace("/", "~1")


def _unusable(data: Mapping[str, Any]) -> Iterator[FieldProblem]:
    """What no model could take, found without recursion so that depth cannot hurt."""
    stack: list[tuple[tuple[str | int, ...], Any]] = [((), data)]
    while stack:
        path, value = stack.pop()
        if isinstance(value, str):
            if problem := text_problem(value):
                yield FieldProblem(pointer(path), problem)
        elif isinstance(value, bool) or value is None:
            continue
        elif isinstance(value, int):
            if not -_BIGGEST < value < _BIGGEST:
                yield FieldProblem(pointer(path), "Use a smaller number.")
        elif isinstance(value, float):
            if value != value or value in (float("inf"), float("-inf")):
                yield FieldProblem(pointer(path), "Use a finite number.")
        elif len(path) >= MAX_DEPTH:
            yield FieldProblem(pointer(path), f"Nested deeper than {MAX_DEPTH} levels.")
        elif isinstance(value, dict):
            for key, item in value.items():
                if not isinstance(key, str):
                    yield FieldProblem(pointer(path), "Use strings as names.")
                elif problem := text_problem(key):
                    yield FieldProblem(pointer((*path, key)), problem)
                else:
                    stack.append(((*path, key), item))
        elif isinstance(value, list):
            stack.extend(((*path, index), item) for index, item in enumerate(value))
        else:
            yield FieldProblem(pointer(path), f"Send JSON values only, not {kind_of(value)}.")


_WORDS = {
    "missing": "Required; add it.",
    "extra_forbidden": "Unknown field; remove it.",
    "string_type": "Send a string.",
    "int_type": "Send a whole number.",
    "int_from_float": "Send a whole number.",
    "float_type": "Send a number.",
    "finite_number": "Use a finite number.",
    "bool_type": "Send true or false.",
    "list_type": "Send a list.",
    "dict_type": "Send an object.",
    "model_type": "Send an object.",
    "model_attributes_type": "Send an object.",
    "string_too_short": "Too short: at least {min_length} characters.",
    "string_too_long": "Too long: at most {max_length} characters.",
    "too_short": "Too few: at least {min_length}.",
    "too_long": "Too many: at most {max_length}.",
    "greater_than": "Must be more than {gt}.",
    "greater_than_equal": "Must be at least {ge}.",
    "less_than": "Must be less than {lt}.",
    "less_than_equal": "Must be at most {le}.",
    "literal_error": "Use one of: {expected}.",
}


def _problem(error: ErrorDetails) -> FieldProblem:
    """One pydantic error in our words. A validator's own ValueError speaks for itself."""
    path = [part for part in error["loc"] if part != "[key]"]
    context = error.get("ctx", {})
    if error["type"] in ("string_too_short", "too_short") and context.get("min_length") == 1:
        return FieldProblem(pointer(path), "Empty; fill it in or leave it out.")
    template = _WORDS.get(error["type"])
    if template is not None:
        return FieldProblem(pointer(path), template.format_map(context))
    if "error" in context:
        return FieldProblem(pointer(path), str(context["error"]))
    return FieldProblem(pointer(path), error["msg"][:1].upper() + error["msg"][1:] + ".")


def _distinct(errors: Sequence[ErrorDetails]) -> list[FieldProblem]:
    """Problems in order, each once."""
    return list(dict.fromkeys(_problem(error) for error in errors))
