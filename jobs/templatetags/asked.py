"""What a job asks for, in templates."""

from __future__ import annotations

from typing import Any

from django import template

from jobs.conditions import show_conditions
from jobs.forms import OVERFLOWS
from jobs.orders import SpecUnreadable, requirements

register = template.Library()
_OVERFLOWS = dict(OVERFLOWS)


@register.filter
def overflow_words(code: object) -> str:
    """What becomes of a job whose key is at its limit: "it waits"."""
    return str(_OVERFLOWS.get(str(code), code))


@register.filter
def conditions_of(requires: Any) -> list[str]:
    """The conditions of a spec as a person writes them; none of one that cannot be read."""
    try:
        found = requirements(requires)
        return [show_conditions([{"key": r.key, "op": r.op, "values": r.values}]) for r in found]
    except (SpecUnreadable, KeyError):
        return []
