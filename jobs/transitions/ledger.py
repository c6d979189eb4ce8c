"""What attempts left on engines: told when it is removed, and why when it is not.

An attempt's own row is the ledger of what it made. The functions write inside the caller's
transaction, which holds the provider's lease.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from uuid import UUID

from django.db.models import F
from django.db.models.functions import Now

from jobs.models import Attempt
from jobs.states import Phase
from projects.actor import SYSTEM
from projects.events import Happening, record
from projects.storable import storable
from providers.driver import Owned
from providers.models import Stray

WHY_CHARACTERS = 255


def uuids(labels: Collection[str]) -> list[UUID]:
    """Those that an attempt may have; a label is what somebody wrote on a container."""
    found = []
    for label in labels:
        with suppress(ValueError):
            found.append(UUID(label))
    return found


def live_uids(labels: Collection[str]) -> set[str]:
    """Those that belong to attempts that have not ended."""
    rows = Attempt.objects.filter(uid__in=uuids(labels)).exclude(phase=Phase.ENDED)
    return {str(uid) for uid in rows.values_list("uid", flat=True)}


def removed(attempts: Sequence[int]) -> None:
    """Their containers are confirmed to be gone."""
    Attempt.objects.filter(pk__in=attempts).update(removed_at=Now())


def not_removed(attempt: int, why: str) -> None:
    """A try to remove its container failed."""
    Attempt.objects.filter(pk=attempt).update(
        removal_tries=F("removal_tries") + 1, removal_error=storable(why, WHY_CHARACTERS)
    )


def swept(provider: int, thing: Owned, why: str) -> None:
    """Something that no live attempt owns was removed, or not (`why`).

    One made for an attempt that ended before it could say so becomes that attempt's; what
    belongs to none is told as an event of its provider, and kept as a stray until it goes.
    """
    own = Attempt.objects.filter(uid__in=uuids([thing.uid]), phase=Phase.ENDED).first()
    if own is not None:
        Attempt.objects.filter(pk=own.pk, handle__isnull=True).update(handle=dict(thing.handle))
        if why:
            not_removed(own.pk, why)
        else:
            removed([own.pk])
        return
    if why:
        told = {
            "removal_tries": F("removal_tries") + 1,
            "removal_error": storable(why, WHY_CHARACTERS),
        }
        labels = {"job": thing.job, "attempt": thing.attempt, "handle": dict(thing.handle)}
        Stray.objects.update_or_create(
            provider_id=provider,
            uid=thing.uid,
            defaults=told,
            create_defaults=labels | told | {"removal_tries": 1},
        )
        return
    Stray.objects.filter(provider=provider, uid=thing.uid).delete()
    detail = {"job": thing.job, "attempt": thing.attempt}
    record([Happening("provider", provider, "provider.swept", detail=detail)], SYSTEM)


def strays_gone(provider: int, present: Collection[str]) -> None:
    """Forget strays that are not on the engine any more."""
    Stray.objects.filter(provider=provider).exclude(uid__in=present).delete()
