"""Providers as pages show them: health in a shape and a sentence, capacity as bars, the last
day as a strip. Values for templates; no markup."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

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

from projects.quantities import bytes_text, cores_text, memory_text
from providers.fit import UNWATCHED, takes_jobs, why_down
from providers.models import HealthSample, HealthState, Mode, Provider
from providers.selectors import ProviderUse, provider_use

KIND_WORDS = {"docker": "Docker", "process": "Process, no isolation", "fake": "Fake"}
STRIP_HOURS = 24
STRIP_BARS = 48
_BAR_SECONDS = STRIP_HOURS * 3600 // STRIP_BARS


@dataclass(frozen=True, slots=True)
class Measured:
    """What the programs on a provider use by their last readings, so many of them measured."""

    cpu_millis: int = 0
    memory_mb: float = 0.0
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class Capacity:
    """One measure: what of `total` is given out, in the measure's own unit, and in words.

    `used` is what programs take of what they were given, where that is measured.
    """

    word: str
    short: str
    given: float
    total: float
    free_text: str
    total_text: str
    given_text: str
    used: float | None = None
    used_text: str = ""

    @property
    def over(self) -> bool:
        """True when more is given out than there is: the limit was lowered meanwhile."""
        return self.given > self.total

    @property
    def words(self) -> str:
        """Beside the bar: "2.3 used, 4 reserved"; of what is not measured, one number."""
        if self.word in ("Disk", "Slots", "GPUs"):
            return f"{self.given_text} used"
        return (
            f"{self.used_text} used, {self.given_text} reserved"
            if self.used_text
            else (f"{self.given_text} reserved")
        )

    @property
    def free_of(self) -> str:
        """As in "11.2 of 64 GiB": the unit once where both have the same."""
        number, _, unit = self.free_text.partition(" ")
        same = unit and self.total_text.endswith(f" {unit}")
        return f"{number if same else self.free_text} of {self.total_text}"


@dataclass(frozen=True, slots=True)
class Strip:
    """The last day in bars from old to new, each ok, wa, bad, or no where nothing was told;
    and how much of it the provider answered."""

    bars: tuple[str, ...]
    answered: float | None

    @property
    def paths(self) -> list[tuple[str, str]]:
        """The bars as one SVG path for each kind, each bar 1.4 wide and 1 high: fifty strips
        in a page are two hundred elements, not thousands."""
        drawn: dict[str, str] = {}
        for place, kind in enumerate(self.bars):
            drawn[kind] = f"{drawn.get(kind, '')}M{2 * place} 0h1.4v1h-1.4z"
        return list(drawn.items())

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
    def cpu(self) -> Capacity | None:
        """Its processors; none of one that was never seen."""
        return next((one for one in self.capacities if one.word == "CPU"), None)

    @property
    def memory(self) -> Capacity | None:
        """Its memory; none of one that was never seen."""
        return next((one for one in self.capacities if one.word == "Memory"), None)

    @property
    def gpus_free(self) -> str:
        """As in "2 of 4"."""
        total = self.provider.total_gpus
        return f"{max(0, total - self.use.gpus)} of {total}"

    @property
    def slots_free(self) -> str:
        """As in "3 of 12"; empty where jobs are not counted."""
        slots = self.provider.slots
        return "" if slots is None else f"{max(0, slots - self.use.running)} of {slots}"

    @property
    def takes(self) -> bool:
        """True when the planner may give it new jobs now."""
        return takes_jobs(self.provider, self.now)

    @property
    def why_not(self) -> str:
        """What keeps an active provider from new jobs, in words; empty if nothing does."""
        return why_down(self.provider, self.now)[1]

    @property
    def wants_a_look(self) -> bool:
        """True when something is wrong with it that a person should see to."""
        return self.shape in ("failed", "warn") or bool(self.low_disk)

    @property
    def low_disk(self) -> str:
        """That its disk is too full for new jobs, in words; empty otherwise."""
        code, why = why_down(self.provider, self.now)
        return why if code == "disk_low" else ""

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


def readings(
    providers: Sequence[Provider], measured: Mapping[int, Measured] | None = None
) -> list[ProviderReading]:
    """Readings of providers, in two queries however many there are. `measured`: what is used
    on them, by id, where the caller knows."""
    now = timezone.now()
    ids = [provider.pk for provider in providers]
    uses, strips = provider_use(ids), health_strips(ids)
    known = measured or {}
    return [
        ProviderReading(
            p, uses[p.pk], strips[p.pk], now, tuple(_capacities(p, uses[p.pk], known.get(p.pk)))
        )
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
    measured: dict[str, float] = {}
    for reading in found:
        if reading.provider.mode == Mode.ACTIVE and not reading.stale:
            for one in reading.capacities:
                if one.word != "Disk":
                    both = sums.setdefault(one.word, [0, 0])
                    both[0] += one.given
                    both[1] += one.total
                    if one.used is not None:
                        measured[one.word] = measured.get(one.word, 0) + one.used
    return [
        _capacity(word, given, total, measured.get(word)) for word, (given, total) in sums.items()
    ]


def _capacities(
    provider: Provider, use: ProviderUse, measured: Measured | None = None
) -> Iterable[Capacity]:
    cpu, memory = (measured.cpu_millis, measured.memory_mb) if measured else (None, None)
    if provider.total_cpu_millis:
        yield _capacity("CPU", use.cpu_millis, provider.total_cpu_millis, cpu)
    if provider.total_memory_mb:
        yield _capacity("Memory", use.memory_mb, provider.total_memory_mb, memory)
    if provider.total_gpus:
        yield _capacity("GPUs", use.gpus, provider.total_gpus, use.gpus)
    if provider.slots is not None:
        yield _capacity("Slots", use.running, provider.slots, use.running)
    if provider.disk_total_bytes and provider.disk_free_bytes is not None:
        used = provider.disk_total_bytes - provider.disk_free_bytes
        yield _capacity("Disk", used, provider.disk_total_bytes, used)


def _capacity(word: str, given: float, total: float, used: float | None = None) -> Capacity:
    text = _TEXTS.get(word, _count_text)
    return Capacity(
        word=word,
        short={"Memory": "Mem", "GPUs": "GPU"}.get(word, word),
        given=given,
        total=total,
        free_text=text(max(0, total - given)),
        total_text=text(total),
        given_text=text(given),
        used=used,
        used_text="" if used is None else text(used),
    )


def _count_text(count: float) -> str:
    return f"{count:.0f}"


_TEXTS = {"CPU": cores_text, "Memory": memory_text, "Disk": bytes_text}


def health_strips(provider_ids: Sequence[int]) -> dict[int, Strip]:
    """The last day of each provider, in one query over its samples."""
    bars_ago = Func(
        ExpressionWrapper(Now() - F("at"), output_field=DurationField()),
        template=f"floor(date_part('epoch', %(expressions)s) / {_BAR_SECONDS})",
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
            tuple(bars[pk].get(i, "no") for i in range(STRIP_BARS)),
            counts[pk][1] / counts[pk][0] if counts[pk][0] else None,
        )
        for pk in provider_ids
    }
