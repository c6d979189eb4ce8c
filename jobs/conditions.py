"""Conditions on a provider's labels as a person writes them, one a line. Pure.

`zone = a`, `zone != a`, `zone in a, b`, `zone not in a, b`, `gpu_memory > 40`, `cores < 64`,
`gpu` (has that label), `!gpu` (has it not). `=` and `!=` with several values mean `in` and
`not in`. A value with a comma, or with quotation marks, stands in double quotes, as JSON has them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

_LINE = re.compile(r"\s*(?P<key>[^\s=!<>]+)\s*(?P<op>!=|=|>|<|\bnot\s+in\b|\bin\b)\s*(?P<rest>.*)")
_BARE = re.compile(r"\s*(?P<no>!?)\s*(?P<key>[^\s=!<>,\"]+)\s*")
_VALUE = re.compile(r'\s*(?:(?P<quoted>"(?:[^"\\]|\\.)*")|(?P<plain>[^,"][^,]*?)|)\s*(?:,|$)')
_WORDS = {"eq": "=", "neq": "!=", "in": "in", "not_in": "not in", "gt": ">", "lt": "<"}
_NUMBERS = {">": "gt", "<": "lt"}
_SEVERAL = {"=": ("eq", "in"), "!=": ("neq", "not_in")}


class Unreadable(ValueError):
    """A line that is no condition; the message quotes it and says what to write."""


def read_conditions(text: str) -> list[dict[str, Any]]:
    """The `requires` of a spec, one for each line that is not blank. Raises Unreadable."""
    return [_read(line) for line in text.splitlines() if line.strip()]


def show_conditions(requires: Iterable[Mapping[str, Any]]) -> str:
    """Lines that `read_conditions` reads as the same."""
    return "\n".join(_show(one) for one in requires)


def _read(line: str) -> dict[str, Any]:
    if found := _LINE.fullmatch(line):
        if found["op"] in _NUMBERS and found["rest"].startswith("="):
            raise Unreadable(f"There is only > and <, not {found['op']}=, in {_short(line)}.")
        values = _values(found["rest"], line)
        op = _NUMBERS.get(found["op"]) or "_".join(found["op"].split())
        if op in _SEVERAL:
            one, several = _SEVERAL[op]
            op = one if len(values) == 1 else several
        return {"key": found["key"], "op": op, "values": values}
    if found := _BARE.fullmatch(line):
        return {"key": found["key"], "op": "not_exists" if found["no"] else "exists", "values": []}
    raise Unreadable(f"Write {_short(line)} as key = value, key in a, b, key > 1, key or !key.")


def _values(text: str, line: str) -> list[str]:
    values: list[str] = []
    at = 0
    while at < len(text) or not values:
        found = _VALUE.match(text, at)
        if found is None:
            raise Unreadable(f"Close the quotation marks in {_short(line)}.")
        if found["quoted"] is None and found["plain"] is None:
            raise Unreadable(f"Give a value between the commas of {_short(line)}.")
        values.append(found["plain"] or _unquoted(found["quoted"], line))
        at = found.end()
    return values


def _unquoted(text: str, line: str) -> str:
    try:
        return str(json.loads(text))
    except ValueError:
        raise Unreadable(f"Close the quotation marks in {_short(line)}.") from None


def _show(one: Mapping[str, Any]) -> str:
    key, op = one["key"], one["op"]
    if op in ("exists", "not_exists"):
        return f"{'!' if op == 'not_exists' else ''}{key}"
    return f"{key} {_WORDS[op]} {', '.join(map(_quoted, one['values']))}"


def _quoted(value: str) -> str:
    plain = value and value == value.strip() and not set(value) & set(',"\n\r')
    plain = plain and len(value.splitlines()) == 1
    return value if plain else json.dumps(value)


def _short(line: str) -> str:
    line = line.strip()
    return repr(line if len(line) <= 60 else line[:59] + "…")
