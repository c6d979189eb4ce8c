"""Providers as pages show them: health in a shape and a sentence, capacity as bars, the last
day as a strip. Values for templates; no markup."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import (
    Count,
    DurationField,
    ExpressionWrapper,
    F,
    Func,
    IntegerField,
    Q,
)
from django.db.models.functions import Now
from django.utils import timezone

from projects.actor import Actor
from projects.quantities import bytes_text, cores_text, memory_text
from providers.fit import UNWATCHED
from providers.models import HealthSample, HealthState, Mode, Provider
from providers.selectors import LIVE_PHASES, ProviderUse, provider_use

KIND_WORDS = {"docker": "Docker", "process": "Process, no isolation", "fake": "Fake"}
STRIP_HOURS = 24
STRIP_BARS = 48
_BAR_SECONDS = STRIP_HOURS * 3600 // STRIP_BARS


@dataclass(frozen=True, slots=True)
class Capacity:
    """One measure: what of `total` is given out, in the measure's own unit, and in words."""

    word: str
    short: str
    given: float
    total: float
    free_text: str
    total_text: str
    given_text: str

    @property
    def free_of(self) -> str:
        """As in "11.2 of 64 GiB": the unit once where both have the same."""
        number, _, unit = self.free_text.partition(" ")
        same = unit and self.total_text.endswith(f" {unit}")
        return f"{number if same else self.free_text} of {self.total_text}"


@dataclass(frozen=True, slots=True)
class StripBar:
    """A stretch of the health strip: ok, wa, bad, or no where nothing was told."""

    kind: str
    x: int


@dataclass(frozen=True, slots=True)
class Strip:
    """The last day: bars from old to new, and how much of it the provider answered."""

    bars: tuple[StripBar, ...]
    answered: float | None

    @property
    def answered_text(self) -> str:
        """The share in percent, or that nothing is known yet."""
        if self.answered is None:
            return "no record yet"
        return f"{100 * self.answered:.1f}".removesuffix(".0") + " %"


@dataclass(frozen=True, slots=True)
class ProviderReading:
    """One provider with everything its row or page shows."""

    provider: Provider
    use: ProviderUse
    strip: Strip
    now: datetime
    capacities: tuple[Capacity, ...] = field(default=())

    @property
    def kind(self) -> str:
        """Its kind in words."""
        return KIND_WORDS.get(self.provider.kind, self.provider.kind)

    @property
    def stale(self) -> bool:
        """True when its numbers are old because it does not answer, or is not asked."""
        return self.unreachable or self.unwatched

    @property
    def unreachable(self) -> bool:
        """True when it did not answer the last look."""
        return self.provider.health == HealthState.UNREACHABLE

    @property
    def unwatched(self) -> bool:
        """True when no engine process has looked at it for a while: its health is hearsay."""
        seen = self.provider.probed_at
        return seen is not None and self.now - seen > UNWATCHED

    @property
    def shape(self) -> str:
        """The state shape: what is wrong first, then what an operator wants of it."""
        if self.unreachable:
            return "failed"
        if self.unwatched or self.provider.health == HealthState.DEGRADED:
            return "warn"
        if self.provider.mode != Mode.ACTIVE:
            return "held"
        return "completed" if self.provider.health == HealthState.HEALTHY else "pending"

    @property
    def tone(self) -> str:
        """The wash behind its badge."""
        return self.shape if self.shape in {"failed", "warn", "completed"} else "neutral"

    @property
    def word(self) -> str:
        """Its state in a word or two."""
        if self.unwatched:
            return "Not watched"
        if self.unreachable:
            return "Unreachable"
        if self.provider.health == HealthState.DEGRADED:
            return "Degraded"
        if self.provider.mode == Mode.DRAINING:
            return "Draining"
        if self.provider.mode == Mode.INACTIVE:
            return "Inactive"
        return "Healthy" if self.provider.health == HealthState.HEALTHY else "Not looked at yet"


def readings(providers: Sequence[Provider]) -> list[ProviderReading]:
    """Readings of providers, in two queries however many there are."""
    now = timezone.now()
    ids = [provider.pk for provider in providers]
    uses, strips = provider_use(ids), health_strips(ids)
    return [
        ProviderReading(p, uses[p.pk], strips[p.pk], now, tuple(_capacities(p, uses[p.pk])))
        for p in providers
    ]


def loads(providers: Sequence[Provider]) -> list[ProviderReading]:
    """Readings without their last day: what is given out now, in one query."""
    now = timezone.now()
    uses = provider_use([provider.pk for provider in providers])
    return [
        ProviderReading(p, uses[p.pk], Strip((), None), now, tuple(_capacities(p, uses[p.pk])))
        for p in providers
    ]


def totals(found: Iterable[ProviderReading]) -> list[Capacity]:
    """What all providers that take jobs have together, measure by measure."""
    sums: dict[str, list[float]] = {}
    for reading in found:
        if reading.provider.mode == Mode.ACTIVE and not reading.stale:
            for one in reading.capacities:
                if one.word != "Disk":
                    both = sums.setdefault(one.word, [0, 0])
                    both[0] += one.given
                    both[1] += one.total
    return [_capacity(word, given, total) for word, (given, total) in sums.items()]


def _capacities(provider: Provider, use: ProviderUse) -> Iterable[Capacity]:
    if provider.total_cpu_millis:
        yield _capacity("CPU", use.cpu_millis, provider.total_cpu_millis)
    if provider.total_memory_mb:
        yield _capacity("Memory", use.memory_mb, provider.total_memory_mb)
    if provider.total_gpus:
        yield _capacity("GPUs", use.gpus, provider.total_gpus)
    if provider.slots is not None:
        yield _capacity("Slots", use.running, provider.slots)
    if provider.disk_total_bytes and provider.disk_free_bytes is not None:
        used = provider.disk_total_bytes - provider.disk_free_bytes
        yield _capacity("Disk", used, provider.disk_total_bytes)


def _capacity(word: str, given: float, total: float) -> Capacity:
    text = _TEXTS.get(word, _count_text)
    return Capacity(
        word=word,
        short={"Memory": "Mem", "GPUs": "GPU"}.get(word, word),
        given=given,
        total=total,
        free_text=text(max(0, total - given)),
        total_text=text(total),
        given_text=text(given),
    )


def _count_text(count: float) -> str:
    return f"{count:.0f}"


_TEXTS = {"CPU": cores_text, "Memory": memory_text, "Disk": bytes_text}


def health_strips(provider_ids: Sequence[int]) -> dict[int, Strip]:
    """The last day of each provider, in one query over its samples."""
    bars_ago = Func(
        ExpressionWrapper(Now() - F("at"), output_field=DurationField()),
        template=f"floor(extract(epoch FROM %(expressions)s) / {_BAR_SECONDS})",
        output_field=IntegerField(),
    )
    rows = (
        HealthSample.objects.filter(
            provider_id__in=provider_ids, at__gt=Now() - timedelta(hours=STRIP_HOURS)
        )
        .annotate(ago=bars_ago)
        .values_list("provider_id", "ago")
        .annotate(
            samples=Count("pk"),
            bad=Count("pk", filter=Q(health=HealthState.UNREACHABLE)),
            degraded=Count("pk", filter=Q(health=HealthState.DEGRADED)),
        )
    )
    bars: dict[int, dict[int, str]] = {pk: {} for pk in provider_ids}
    counts = {pk: [0, 0] for pk in provider_ids}
    for pk, ago, samples, bad, degraded in rows:
        place = min(STRIP_BARS - 1, max(0, STRIP_BARS - 1 - int(ago)))
        bars[pk][place] = "bad" if bad else "wa" if degraded else "ok"
        counts[pk][0] += samples
        counts[pk][1] += samples - bad
    return {
        pk: Strip(
            tuple(StripBar(bars[pk].get(i, "no"), 2 * i) for i in range(STRIP_BARS)),
            counts[pk][1] / counts[pk][0] if counts[pk][0] else None,
        )
        for pk in provider_ids
    }


def live_attempts(actor: Actor, provider: Provider, *, limit: int = 50) -> list[Any]:
    """What runs on a provider now, of the projects this actor may see, oldest first."""
    found = provider.attempts.filter(phase__in=LIVE_PHASES).select_related("job__project")
    ids = actor.project_ids()
    if ids is not None:
        found = found.filter(job__project_id__in=ids)
    return list(found.order_by("pk")[:limit])
