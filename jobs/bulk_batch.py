"""One batch of an action on many jobs, as its form asks for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from jobs import acts, bulk, bulk_waiting
from jobs.bulk_words import Action, Fate
from projects.actor import Actor

FIELDS: Mapping[Action, str] = {
    Action.HOLD: "note",
    Action.REPRIORITISE: "priority",
    Action.MOVE: "provider",
}
"""What an action has to be told besides its jobs."""


def carry_out(
    actor: Actor, action: Action, jobs: Sequence[int], *, given: str, token: str
) -> tuple[Counter[Fate], Sequence[int]]:
    """What came of these jobs, and those to show: them, or the new ones. `given` is the text of
    the action's field. Raises Invalid for one that cannot be: then nothing was changed."""
    if action is Action.RERUN:
        return bulk.rerun_batch(actor, jobs, token=token)
    return _changed(actor, action, jobs, given), jobs


def _changed(actor: Actor, action: Action, jobs: Sequence[int], given: str) -> Counter[Fate]:
    match action:
        case Action.CANCEL:
            return bulk.cancel_batch(actor, jobs)
        case Action.HOLD:
            return bulk_waiting.hold_batch(actor, jobs, acts.read_note({"note": given}))
        case Action.RELEASE:
            return bulk_waiting.release_batch(actor, jobs)
        case Action.REPRIORITISE:
            priority = acts.read_priority(acts.priority_body(given))
            return bulk_waiting.reprioritise_batch(actor, jobs, priority)
    return bulk_waiting.move_batch(
        actor, jobs, acts.read_provider(actor, {"provider": given or None})
    )
