"""Which providers want attention, and why. Values in, values out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from providers.fit import UNWATCHED, why_down
from providers.models import HealthState, Mode
from providers.readings import ProviderReading

TOGETHER = 3
"""So many of one kind are told in one entry."""


@dataclass(frozen=True, slots=True)
class ProviderTrouble:
    """One entry: of one provider, or of several with the same trouble. `kind`: silent,
    unwatched or disk."""

    kind: str
    readings: tuple[ProviderReading, ...]

    @property
    def only(self) -> ProviderReading | None:
        """The provider, where it is one."""
        return self.readings[0] if len(self.readings) == 1 else None

    @property
    def shape(self) -> str:
        """Its state shape."""
        return "failed" if self.kind == "silent" else "warn"

    @property
    def running(self) -> int:
        """How many attempts are on them."""
        return sum(one.use.running for one in self.readings)

    @property
    def disk_words(self) -> str:
        """What is left of its disk, in words."""
        return why_down(self.readings[0].provider, self.readings[0].now)[1]


def provider_troubles(found: Iterable[ProviderReading]) -> list[ProviderTrouble]:
    """The troubles among providers that are meant to work: an inactive one has none."""
    meant = [one for one in found if one.provider.mode != Mode.INACTIVE]
    unwatched = [one for one in meant if _unwatched(one)]
    silent = [one for one in meant if one.unreachable and one not in unwatched]
    full = [
        one
        for one in meant
        if one not in unwatched
        and one not in silent
        and why_down(one.provider, one.now)[0] == "disk_low"
    ]
    return [*_told("unwatched", unwatched), *_told("silent", silent), *_told("disk", full)]


def _unwatched(one: ProviderReading) -> bool:
    """No engine process looks at it: any more, or since it was added."""
    if one.provider.health == HealthState.UNKNOWN and one.provider.probed_at is None:
        return one.now - one.provider.created_at > UNWATCHED
    return one.unwatched


def _told(kind: str, found: Sequence[ProviderReading]) -> list[ProviderTrouble]:
    if len(found) >= TOGETHER or (kind == "unwatched" and found):
        return [ProviderTrouble(kind, tuple(found))]
    return [ProviderTrouble(kind, (one,)) for one in found]
