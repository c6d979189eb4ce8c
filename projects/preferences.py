"""How a person likes the pages: what may be chosen, and what they chose.

Only choices are stored, one row a person; everything else is as OPTIONS begins. The first
word of an option is what it is without a choice. `zone` is an IANA name, or the browser's own.
"""

from __future__ import annotations

from collections.abc import Mapping

from django.db import transaction

from projects.actor import Actor
from projects.errors import FieldProblem, Forbidden, Invalid
from projects.models import PreferenceRow
from projects.prepared import PreparedQuery
from projects.zones import LOCAL, zone_known

OPTIONS: Mapping[str, tuple[str, ...]] = {
    "theme": ("auto", "light", "dark"),
    "density": ("comfortable", "compact"),
    "keys": ("on", "off"),
    "log_time": ("off", "local", "utc", "since"),
    "log_wrap": ("off", "on"),
    "log_streams": ("both", "stdout", "stderr"),
    "log_stderr": ("on", "off"),
    "log_size": ("12", "11", "13", "14", "16"),
    "log_case": ("off", "on"),
}
"""What is chosen among a few words. `log_…` are the controls of the log viewer."""

_CHOSEN = PreparedQuery(lambda ids: PreferenceRow.objects.filter(pk__any=ids))

UNCHOSEN: Mapping[str, str] = {name: words[0] for name, words in OPTIONS.items()} | {"zone": LOCAL}


def preferences_chosen(user_id: int) -> dict[str, str]:
    """What this person has chosen, by name; one query."""
    # A choice that a later Gantry no longer offers is none.
    return {
        name: value
        for row in _CHOSEN.fetch([user_id])
        for name, value in row.chosen.items()
        if _offered(name, value)
    }


def preferences_set(actor: Actor, changes: Mapping[str, str]) -> None:
    """Keep what the actor has chosen. Raises Invalid for what is not offered."""
    wrong = [
        FieldProblem(f"/{name[:80]}", "There is no such choice.")
        for name, value in changes.items()
        if not _offered(name, value)
    ]
    if wrong:
        raise Invalid(wrong)
    if actor.id is None:
        raise Forbidden("Only a person has preferences.")
    with transaction.atomic():
        PreferenceRow.objects.get_or_create(pk=actor.id)
        row = PreferenceRow.objects.select_for_update().get(pk=actor.id)
        row.chosen |= changes
        row.save(update_fields=["chosen"])


def _offered(name: str, value: object) -> bool:
    if name == "zone":
        return isinstance(value, str) and (value == LOCAL or zone_known(value))
    return value in OPTIONS.get(name, ())
