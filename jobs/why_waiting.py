"""Why a job waits, in numbers: what each provider says to it now. Values in, values out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from jobs.asks import pin_of
from jobs.models import Job
from jobs.orders import SpecUnreadable, requirements
from jobs.queue_groups import scarce
from projects.quantities import amounts_text, cores_text, listed, memory_text
from providers.fit import Answer, Fit, Need, fit
from providers.models import Provider
from providers.nearest import nearest_of
from providers.selectors import ProviderUse

MOST_SHOWN = 8
MOST_NAMED = 3
Beside = Mapping[int, Mapping[tuple[str, str], Sequence[int]]]
"""Provider → label and value → the jobs of a project that it runs and that have it."""
IN_TURN = "It goes here when its turn comes"
"""What having room means to a job that nothing else holds up."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One column: what of it the job needs, how amounts of it are written, and what a provider
    has given out of what it has in all (None: it has no limit)."""

    word: str
    needed: int
    text: Callable[[int], str]
    given: Callable[[ProviderUse], int]
    whole: Callable[[Provider], int | None]

    @property
    def head(self) -> str:
        """As in "Memory, needs 6 GiB"."""
        return f"{self.word}, needs {self.text(self.needed)}"

    def cell(self, provider: Provider, used: ProviderUse) -> Cell:
        """What a provider has of it."""
        given, whole = self.given(used), self.whole(provider)
        if whole is None:
            return Cell(self.word, "no limit", "", given, 0, short=False)
        free = max(0, whole - given)
        short = free < self.needed
        return Cell(self.word, f"{self.text(free)} free", self.text(whole), given, whole, short)


@dataclass(frozen=True, slots=True)
class Cell:
    """One measure of a provider, by its word: what is free of all of it ("" where it has no
    limit), and whether that is too little."""

    word: str
    free: str
    total: str
    given: int
    whole: int
    short: bool


@dataclass(frozen=True, slots=True)
class Row:
    """What one provider says."""

    provider: Provider
    shape: str
    word: str
    why: str
    cells: tuple[Cell, ...]
    """One of each measure; none of a provider that was never seen."""


@dataclass(frozen=True, slots=True)
class WhyWaiting:
    """The answer in a sentence, the count of answers, what is measured (its head in each
    column), and the providers, the nearest first."""

    shape: str
    headline: str
    summary: str
    needs_cpu: str
    needs_memory: str
    heads: tuple[str, ...]
    rows: tuple[Row, ...]
    more: int = 0


def need_of(job: Job, pinned: str | None = None) -> Need:
    """What a job asks of a provider, as the planner reads it; pinned elsewhere, if given."""
    spec = job.spec if isinstance(job.spec, dict) else {}
    try:
        conditions = requirements(spec.get("requires"))
    except SpecUnreadable:
        conditions = ()
    pinned = pin_of(job) if pinned is None else pinned
    kept = () if job.queue_class is None else job.queue_class.demand.get("apart", ())
    apart = tuple((label, value) for label, value in kept)
    return Need(job.cpu_millis, job.memory_mb, job.gpus, pinned, conditions, apart)


def fits_of(
    need: Need,
    providers: Sequence[Provider],
    used: Mapping[int, ProviderUse],
    now: datetime,
    beside: Beside | None = None,
) -> list[tuple[Provider, Fit]]:
    """What each provider says, the nearest to a yes first. `beside`: the jobs that each runs from
    which this one keeps apart."""
    order, there = list(Answer), beside or {}
    found = [(p, _fit(need, p, used[p.pk], now, there.get(p.pk, {}))) for p in providers]
    return sorted(found, key=lambda one: (order.index(one[1].answer), *_distance(one[1])))


def _fit(
    need: Need,
    provider: Provider,
    used: ProviderUse,
    now: datetime,
    there: Mapping[tuple[str, str], Sequence[int]],
) -> Fit:
    """What it says; of its like by which jobs."""
    one = fit(need, provider, used, now, there)
    if one.answer is not Answer.BESIDE:
        return one
    pair = next(pair for pair in need.apart if pair in there)
    jobs = sorted({job for each in need.apart for job in there.get(each, ())})
    shown = [f"job {job}" for job in there[pair][:MOST_NAMED]]
    if rest := len(there[pair]) - len(shown):
        shown.append(f"{rest} more")
    why = f"it runs {listed(shown)} with {pair[0]} = {pair[1]}"
    return replace(one, why=why, jobs=tuple(jobs))


def why_waiting(
    need: Need,
    found: Sequence[tuple[Provider, Fit]],
    used: Mapping[int, ProviderUse],
    with_room: str = IN_TURN,
) -> WhyWaiting:
    """The panel of a job that waits; `found` as by `fits_of`. `with_room`: what it means to the
    job that a provider has room for it now."""
    shape, words = headline(need, found)
    measures = tuple(_measures(need, [one for _, one in found]))
    return WhyWaiting(
        shape=shape,
        headline=words,
        summary=_summary([one.answer for _, one in found]),
        needs_cpu=cores_text(need.cpu_millis),
        needs_memory=memory_text(need.memory_mb),
        heads=tuple(measure.head for measure in measures),
        rows=tuple(_row(measures, p, one, used[p.pk], with_room) for p, one in found[:MOST_SHOWN]),
        more=max(0, len(found) - MOST_SHOWN),
    )


def _distance(one: Fit) -> tuple[int, int, int, int]:
    return one.lacks_gpus, one.lacks_memory_mb, one.lacks_cpu_millis, -one.free_memory_mb


def headline(need: Need, found: Sequence[tuple[Provider, Fit]]) -> tuple[str, str]:
    """Its shape and the sentence, from the best answer there is; `found` as by `fits_of`."""
    if not found:
        return "warn", "There is no provider yet"
    provider, best = found[0]
    match best.answer:
        case Answer.FITS:
            return "completed", f"{provider.name} has room for it now"
        case Answer.FULL:
            full = [one for _, one in found if one.answer is Answer.FULL]
            return "warn", f"No provider that suits it has {_wanting(need, full)}"
        case Answer.BESIDE:
            return "warn", f"{provider.name} would suit it, but {best.why}"
        case Answer.DOWN:
            return "warn", f"{provider.name} would suit it, and takes nothing: {best.why}"
        case Answer.SMALL:
            return "failed", "It is larger than any provider that suits it"
        case Answer.UNSUITED:
            return "failed", unsuited(need, found)
    return "warn", "Every provider is switched off"


def unsuited(need: Need, found: Sequence[tuple[Provider, Fit]]) -> str:
    """What no provider has, and which comes nearest, as the planner says it."""
    if need.provider or not need.requires:
        return "No provider is what it asks for"
    on = sorted((p for p, one in found if one.answer is not Answer.OFF), key=lambda p: p.pk)
    named = [(p.name, {str(k): str(v) for k, v in p.labels.items()}) for p in on]
    return sentence(nearest_of(need.requires, named))


def _wanting(need: Need, full: Sequence[Fit]) -> str:
    """What is missing on all that are full: "24 GiB of memory free", or room for all of it."""
    cpu, memory = cores_text(need.cpu_millis), memory_text(need.memory_mb)
    match scarce(full):
        case "memory":
            return f"{memory} of memory free"
        case "cpu":
            return f"{cpu} CPU free"
        case "gpu":
            return f"{need.gpus} GPU free"
        case "slot":
            return "a free slot"
    return f"room for {cpu} CPU and {memory} at once"


_COUNTED = {
    Answer.FITS: ("has room", "have room"),
    Answer.FULL: ("is too full", "are too full"),
    Answer.BESIDE: ("runs its like", "run its like"),
    Answer.DOWN: ("takes nothing now", "take nothing now"),
    Answer.SMALL: ("is too small", "are too small"),
    Answer.UNSUITED: ("is ruled out", "are ruled out"),
    Answer.OFF: ("is switched off", "are switched off"),
}


def _summary(answers: Sequence[Answer]) -> str:
    counts = Counter(answers)
    words = [f"{counts[a]} {one if counts[a] == 1 else more}"
             for a, (one, more) in _COUNTED.items() if counts[a]]  # fmt: skip
    return f"Of {len(answers)} providers {', '.join(words)}." if len(answers) > 1 else ""


def _measures(need: Need, answers: Sequence[Fit]) -> Iterator[Measure]:
    """CPU and memory; GPUs where the job needs some, slots where somebody has none left."""
    yield Measure(
        "CPU", need.cpu_millis, cores_text, lambda u: u.cpu_millis, lambda p: p.total_cpu_millis
    )
    yield Measure(
        "Memory", need.memory_mb, memory_text, lambda u: u.memory_mb, lambda p: p.total_memory_mb
    )
    if need.gpus:
        yield Measure("GPUs", need.gpus, str, lambda u: u.gpus, lambda p: p.total_gpus)
    if any(one.answer is Answer.FULL and one.lacks_slots for one in answers):
        yield Measure("Slots", 1, str, lambda u: u.running, lambda p: p.slots)


def _row(
    measures: Sequence[Measure], provider: Provider, one: Fit, used: ProviderUse, with_room: str
) -> Row:
    shape, word, why = _answer(one, provider, with_room)
    cells = tuple(measure.cell(provider, used) for measure in measures)
    return Row(provider, shape, word, why, cells if provider.total_memory_mb else ())


def _answer(one: Fit, provider: Provider, with_room: str) -> tuple[str, str, str]:
    match one.answer:
        case Answer.FITS:
            return "completed", "Has room", with_room
        case Answer.FULL:
            return "warn", "Too full", _lacking(one, provider)
        case Answer.BESIDE:
            return "warn", "Runs its like", sentence(one.why)
        case Answer.DOWN:
            return "warn", "Takes nothing now", sentence(one.why)
        case Answer.SMALL:
            gpus = f", {provider.total_gpus} GPU" if provider.total_gpus or one.lacks_gpus else ""
            all_of_it = f"{cores_text(provider.total_cpu_millis)} CPU, "
            all_of_it += f"{memory_text(provider.total_memory_mb)}{gpus}"
            return "cancelled", "Too small", f"Has {all_of_it} in all"
        case Answer.UNSUITED:
            return "cancelled", "Ruled out", sentence(one.why)
    return "cancelled", "Switched off", "An operator set it inactive"


def _lacking(one: Fit, provider: Provider) -> str:
    amounts = missing(one)
    if amounts:
        return f"Needs {amounts} more"
    return (
        "Its only slot is taken"
        if provider.slots == 1
        else f"All its {provider.slots} slots are taken"
    )


def missing(one: Fit) -> str:
    """How much more room it would need: "1 CPU and 2 GiB"; "" where only a slot is missing."""
    return amounts_text(one.lacks_cpu_millis, one.lacks_memory_mb, one.lacks_gpus)


def sentence(words: str) -> str:
    """With a capital."""
    return words[:1].upper() + words[1:]
