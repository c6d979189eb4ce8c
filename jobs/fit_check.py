"""Where a job that is being written would go: a sentence, and what each provider says. Decided
by the planner's own rules (providers/fit.py). Values in, values out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from jobs.allowance import Refusal
from jobs.why_waiting import Beside, fits_of, missing, sentence, unsuited
from projects.quantities import age_text, cores_text, listed, memory_text
from providers.fit import Answer, Fit, Need, rank
from providers.models import HealthState, Mode, Provider
from providers.selectors import ProviderUse

MOST_SHOWN = 6


@dataclass(frozen=True, slots=True)
class Row:
    """What one provider says, in a shape and in words with the amounts."""

    provider: Provider
    shape: str
    words: str


class Comes(StrEnum):
    """What comes of a job that something else than room keeps from starting."""

    REFUSED = "refused"
    """It may not be submitted now."""
    CANCELLED = "cancelled"
    """It is, and gives way to another at once."""
    WAITS = "waits"


@dataclass(frozen=True, slots=True)
class Bar:
    """What keeps a job from starting, whatever room there is, in a sentence; the refusal by
    which it waits, if that is one; and the jobs that give way to it, or to which it does."""

    comes: Comes
    words: str
    refusal: Refusal | None = None
    jobs: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class FitCheck:
    """The sentence with its tone (completed, warn, failed), a line of counts, and the providers,
    where it goes first, then the nearest to a yes. `more` are not shown. `besides`: what else
    keeps it, where the sentence tells something worse. `goes_to`: the provider that the planner
    would take, were nothing else in the way, and `bar` what is; `answers`: what each says, the
    nearest to a yes first."""

    tone: str
    shape: str
    headline: str
    summary: str = ""
    besides: str = ""
    rows: tuple[Row, ...] = ()
    more: str = ""
    bar: Bar | None = None
    goes_to: Provider | None = None
    answers: Sequence[tuple[Provider, Fit]] = ()


@dataclass(frozen=True, slots=True)
class Standing:
    """What a job would meet now: the providers with what is in use on each, which of them have
    its image, what they run that it keeps apart from, and for which jobs they are kept free; and
    what bars it besides room."""

    providers: Sequence[Provider]
    used: Mapping[int, ProviderUse]
    now: datetime
    with_image: frozenset[int] = frozenset()
    beside: Beside = field(default_factory=dict)
    kept: Mapping[int, int] = field(default_factory=dict)
    bar: Bar | None = None

    def fits(self, need: Need) -> list[tuple[Provider, Fit]]:
        """What each provider says, the nearest to a yes first."""
        return fits_of(need, self.providers, self.used, self.now, self.beside)

    def chosen(self, need: Need, found: Sequence[tuple[Provider, Fit]]) -> Provider | None:
        """The provider that the planner would take now; None where no room is, or only room
        that is kept free. `found` as by `fits`."""
        fitting = [p for p, one in found if one.answer is Answer.FITS and p.pk not in self.kept]

        def ranked(p: Provider) -> tuple[float, float, int]:
            return rank(need, p, self.used[p.pk], has_image=p.pk in self.with_image)

        return min(fitting, key=ranked, default=None)


def fit_check(need: Need, standing: Standing, *, held: bool = False) -> FitCheck:
    """What would come of submitting a job with this need now. `held`: it would wait for a
    release first."""
    found = standing.fits(need)
    asked = [(p, one) for p, one in found if need.provider in ("", p.name)]
    left_out = len(found) - len(asked)
    first = standing.chosen(need, found)
    asked.sort(key=lambda one: one[0] is not first)
    tone, shape, headline = _headline(need, asked, first)
    bar, besides = _told(standing.bar, found), ""
    never, refused = tone == "failed", bar is not None and bar.comes is Comes.REFUSED
    if bar is not None and (not never or bar.comes is not Comes.WAITS):
        tone, shape, headline = _barred(bar)
    elif bar is not None:
        besides = bar.words  # that no provider will ever take it is told first
    if held and not (never or refused):
        shape, headline = "held", f"Held until it is released; then {_lower(headline)}"
    shown = asked[:MOST_SHOWN]
    more = []
    if len(asked) > len(shown):
        more.append(f"{len(asked) - len(shown)} more providers are further from it.")
    if left_out:
        others = "The other one is" if left_out == 1 else f"The other {left_out} are"
        more.append(f"{others} left out: it asks for {need.provider}.")
    return FitCheck(
        tone=tone,
        shape=shape,
        headline=headline,
        summary=_summary(asked, standing.kept),
        besides=besides,
        rows=tuple(_row(need, p, one, standing) for p, one in shown),
        more=" ".join(more),
        bar=bar,
        goes_to=first,
        answers=found,
    )


def _told(bar: Bar | None, found: Sequence[tuple[Provider, Fit]]) -> Bar | None:
    """Of jobs that would give way to it: they do, if it could start in their place."""
    if bar is None or bar.comes is not Comes.WAITS or not bar.jobs:
        return bar
    if not any(one.answer in (Answer.FITS, Answer.FULL, Answer.BESIDE) for _, one in found):
        return replace(bar, jobs=())
    told = listed([f"job {job}" for job in bar.jobs])
    return replace(bar, words=f"Waiting for {told} to end, which it tells to stop for its key.")


def _barred(bar: Bar) -> tuple[str, str, str]:
    words = _lower(bar.words)
    match bar.comes:
        case Comes.REFUSED:
            return "failed", "failed", f"Would be refused now: {words}"
        case Comes.CANCELLED:
            return "failed", "cancelled", f"Would be cancelled at once: {words}"
    waits = "Waits for" if words.startswith("waiting for") else "Waits:"
    return "warn", "pending", f"{waits} {words.removeprefix('waiting for ')}"


def _headline(
    need: Need, found: Sequence[tuple[Provider, Fit]], first: Provider | None
) -> tuple[str, str, str]:
    """Tone, shape and sentence, from the best answer there is; `first` is where it goes."""
    if not found:
        return "warn", "warn", "No provider yet: it would wait until there is one"
    if first is not None:
        return "completed", "completed", f"Starts at once on {first.name}"
    provider, best = found[0]
    match best.answer:
        case Answer.FITS:
            words = f"{provider.name} has room, and is kept free for a job that has waited longest"
            return "warn", "pending", f"Waits: {words}"
        case Answer.FULL:
            return "warn", "pending", f"Waits until others end: {_short(provider, best)}"
        case Answer.BESIDE:
            return (
                "warn",
                "pending",
                f"Waits until another ends: {provider.name} would suit it, but {best.why}",
            )
        case Answer.DOWN:
            return "warn", "warn", f"Waits: {provider.name} would suit it, but {best.why}"
        case Answer.SMALL:
            small = [p for p, one in found if one.answer is Answer.SMALL]
            return "failed", "failed", _too_large(need, small)
        case Answer.UNSUITED:
            return "failed", "failed", unsuited(need, found)
    return "failed", "failed", "Every provider is switched off"


def _short(provider: Provider, best: Fit) -> str:
    amounts = missing(best)
    return f"{provider.name} is {amounts} short" if amounts else f"no slot of {provider.name} free"


def _too_large(need: Need, small: Sequence[Provider]) -> str:
    """The one measure that all lack, with the most there is of it; or all measures together."""
    measures: tuple[tuple[int, list[int], Callable[[float], str]], ...] = (
        (need.gpus, [p.total_gpus for p in small], lambda n: f"{n:.0f} GPU"),
        (need.memory_mb, [p.total_memory_mb for p in small], memory_text),
        (need.cpu_millis, [p.total_cpu_millis for p in small], lambda n: f"{cores_text(n)} CPU"),
    )
    for wanted, there, text in measures:
        most = max(there)
        if wanted > most:
            asked, has = text(wanted), text(most)
            if asked == has:  # told apart only in the last place
                asked, has = f"{wanted} MiB", f"{most} MiB"
            return f"No provider has {asked}: the largest has {has if most else 'none'}"
    words = f"{cores_text(need.cpu_millis)} CPU and {memory_text(need.memory_mb)}"
    words += f" and {need.gpus} GPU" if need.gpus else ""
    return f"No provider has {words} together"


def _summary(found: Sequence[tuple[Provider, Fit]], kept: Collection[int]) -> str:
    """The counts; of a single provider its row says all."""
    if len(found) < 2:
        return ""
    counts = Counter(one.answer for _, one in found)
    room, full, down = (counts[a] for a in (Answer.FITS, Answer.FULL, Answer.DOWN))
    not_now = sum(one.answer is Answer.FITS and p.pk in kept for p, one in found)
    room, full = room - not_now, full + not_now
    words = f"Fits on {room + full} of {len(found)} providers"
    if full:
        words += f", {room or 'none'} of them with room now"
    if down:
        words += f"; {down} {'takes' if down == 1 else 'take'} nothing now"
    return words


def _row(need: Need, provider: Provider, one: Fit, standing: Standing) -> Row:
    if one.answer is Answer.FITS and provider.pk in standing.kept:
        return Row(provider, "pending", "Room, kept free for a job that has waited longest")
    used = standing.used[provider.pk]
    return Row(provider, *_answer(need, provider, one, used, standing.now))


def _answer(
    need: Need, provider: Provider, one: Fit, used: ProviderUse, now: datetime
) -> tuple[str, str]:
    """A provider's shape and words."""
    match one.answer:
        case Answer.FITS:
            return "completed", f"Room now: {_free(need, provider, one, used)} free"
        case Answer.FULL:
            short = missing(one)
            free = f"{_free(need, provider, one, used)} free"
            if short:
                return "pending", f"Room when others end: {short} short, {free}"
            return "pending", f"Room when others end: all {provider.slots} slots are taken"
        case Answer.BESIDE:
            return "pending", sentence(one.why)
        case Answer.DOWN:
            return _down(provider, one, now)
        case Answer.SMALL:
            return "cancelled", f"Too small by {too_small_by(need, provider)}: {_all_of(provider)}"
        case Answer.UNSUITED:
            return "cancelled", f"Ruled out: {one.why}"
    return "cancelled", "Switched off by an operator"


def _down(provider: Provider, one: Fit, now: datetime) -> tuple[str, str]:
    if provider.mode == Mode.DRAINING:
        return "held", "Draining: finishes what runs, takes nothing new"
    since = provider.unreachable_since
    if provider.health == HealthState.UNREACHABLE and since is not None:
        return "warn", f"Unreachable for {age_text((now - since).total_seconds())}"
    return "warn", sentence(one.why)


def _free(need: Need, provider: Provider, one: Fit, used: ProviderUse) -> str:
    """What is free, each with its limit: "9 of 16 CPU and 18 of 32 GiB"."""
    cpu = f"{cores_text(one.free_cpu_millis)} of {cores_text(provider.total_cpu_millis)} CPU"
    free, whole = memory_text(one.free_memory_mb), memory_text(provider.total_memory_mb)
    number, _, unit = free.partition(" ")
    words = [cpu, f"{number if whole.endswith(f' {unit}') else free} of {whole}"]
    if need.gpus:
        words.append(f"{one.free_gpus} of {provider.total_gpus} GPU")
    if provider.slots is not None:
        words.append(f"{max(0, provider.slots - used.running)} of {provider.slots} slots")
    return f"{', '.join(words[:-1])} and {words[-1]}"


def too_small_by(need: Need, provider: Provider) -> str:
    """What even an idle provider would lack."""
    return missing(
        Fit(
            Answer.SMALL,
            lacks_cpu_millis=max(0, need.cpu_millis - provider.total_cpu_millis),
            lacks_memory_mb=max(0, need.memory_mb - provider.total_memory_mb),
            lacks_gpus=max(0, need.gpus - provider.total_gpus),
        )
    )


def _all_of(provider: Provider) -> str:
    words = f"{cores_text(provider.total_cpu_millis)} CPU, {memory_text(provider.total_memory_mb)}"
    return f"{words}{f', {provider.total_gpus} GPU' if provider.total_gpus else ''} in all"


def _lower(words: str) -> str:
    return words[:1].lower() + words[1:]
