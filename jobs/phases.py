"""How a job's time went: the stretches of the phase bar, and the words beside it.

Values in, values out: the template draws what `timeline` answers, without arithmetic.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from jobs.models import Attempt, Job
from jobs.states import Outcome, Phase
from projects.quantities import duration_text
from projects.zones import clock_text

_WORDS = {
    "placed": "Placed",
    "pulling": "Pulling",
    "starting": "Starting",
    "running": "Running",
    "finishing": "Finishing",
    "queued": "Queued",
    "backoff": "Back-off",
}
_LEAST_SHARE = 0.006
"""No stretch is drawn narrower than this part of the bar, so that each can be seen."""
_GAP = 0.15
"""Percent of the bar left free between two stretches."""
_MOMENT = 0.001
"""A wait shorter than this, between an attempt's end and its job's, is none."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """One phase from `start` to `end` (the moment of asking while it lasts: `open`)."""

    kind: str
    start: datetime
    end: datetime
    attempt: int = 0
    open: bool = False
    failed: bool = False

    @property
    def seconds(self) -> float:
        """Its length; never negative, also where two clocks disagree."""
        return max(0.0, (self.end - self.start).total_seconds())

    @property
    def word(self) -> str:
        """The phase as people call it."""
        return _WORDS[self.kind]


@dataclass(frozen=True, slots=True)
class Drawn:
    """A stretch with its place on the bar: percent from the left, percent wide."""

    stretch: Stretch
    x: str
    width: str
    end_x: str
    of_several: bool = False

    @property
    def until(self) -> datetime | None:
        """When it ended; None while it goes on."""
        return None if self.stretch.open else self.stretch.end

    @property
    def words(self) -> str:
        """What it is: "Pulling", or "Attempt 2, Pulling" where there are several."""
        one = self.stretch
        return f"Attempt {one.attempt}, {one.word}" if one.attempt and self.of_several else one.word

    @property
    def label(self) -> str:
        """All of it in one line: for the pointer, the keyboard and a screen reader alike."""
        one = self.stretch
        until = "now" if one.open else clock_text(one.end)
        return f"{self.words} {duration_text(one.seconds)}, {clock_text(one.start)} to {until}"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line under the bar: a phase's word and how long it took in all."""

    kind: str
    word: str
    seconds: float
    open_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Timeline:
    """The bar and the list under it."""

    drawn: tuple[Drawn, ...]
    entries: tuple[Entry, ...]
    start: datetime
    end: datetime
    open: bool
    total_seconds: float

    def stretch(self, number: int) -> Drawn | None:
        """One of the bar by its place, from 1; None where there is none. What comes later is
        drawn after it, so that a place stays that of its stretch."""
        return self.drawn[number - 1] if 0 < number <= len(self.drawn) else None


def timeline(job: Job, attempts: Sequence[Attempt], now: datetime) -> Timeline:
    """The bar of a job with its attempts in order; `now` is when the open phase is cut."""
    stretches = list(_stretches(job, attempts, now))
    end = stretches[-1].end if stretches else now
    return Timeline(
        drawn=tuple(_draw(stretches, of_several=len(attempts) > 1)),
        entries=tuple(_entries(stretches, len(attempts))),
        start=job.created_at,
        end=end,
        open=job.finished_at is None,
        total_seconds=max(0.0, (end - job.created_at).total_seconds()),
    )


def _stretches(job: Job, attempts: Sequence[Attempt], now: datetime) -> Iterator[Stretch]:
    mark = job.created_at
    for index, attempt in enumerate(attempts):
        yield Stretch("backoff" if index else "queued", mark, max(mark, attempt.placed_at))
        mark = max(mark, attempt.placed_at)
        for stretch in _of_attempt(attempt, mark, now):
            yield stretch
            mark = stretch.end
    kind = "backoff" if attempts else "queued"
    if job.state == "pending":
        yield Stretch(kind, mark, max(mark, now), open=True)
    elif job.finished_at is not None:
        # Of one that never ran all of its time; of one that ended between two tries the rest.
        rest = Stretch(kind, mark, max(mark, job.finished_at))
        if not attempts or rest.seconds >= _MOMENT:
            yield rest


def _of_attempt(attempt: Attempt, start: datetime, now: datetime) -> Iterator[Stretch]:
    """The phases that this attempt reached, each until the next one's stamp."""
    begins = [("placed", start)]
    for kind, at in (
        ("pulling", attempt.pulling_at),
        ("starting", attempt.creating_at or attempt.starting_at),
        ("running", _start_of(attempt)),
        ("finishing", _exit_of(attempt)),
    ):
        if at is not None:
            begins.append((kind, max(at, begins[-1][1])))
    live = attempt.phase != Phase.ENDED
    last = max(now if live else (attempt.ended_at or now), begins[-1][1])
    ends = [at for _, at in begins[1:]] + [last]
    failed = attempt.outcome == Outcome.FAILED
    for index, ((kind, at), until) in enumerate(zip(begins, ends, strict=True)):
        is_last = index == len(begins) - 1
        yield Stretch(
            kind, at, until, attempt.number, open=live and is_last, failed=failed and is_last
        )


def _start_of(attempt: Attempt) -> datetime | None:
    """When its program began. Of one that was over at the first look at it both are stamped after
    that look, which takes seconds where a kill is looked into: its engine's clock knows better."""
    told, begun = attempt.running_at, attempt.starting_at
    if not (told and begun and attempt.started_at) or told != attempt.finishing_at:
        return told
    ahead = timedelta(milliseconds=attempt.provider.clock_offset_ms or 0)
    return min(told, max(begun, attempt.started_at - ahead))


def _exit_of(attempt: Attempt) -> datetime | None:
    """When its program ended: as long after its start as its engine says, which may be well before
    that was found out."""
    told, began = attempt.finishing_at, _start_of(attempt)
    if told and began and attempt.started_at and attempt.finished_at:
        return min(told, began + max(timedelta(0), attempt.finished_at - attempt.started_at))
    return told


def _draw(stretches: Sequence[Stretch], *, of_several: bool) -> Iterator[Drawn]:
    total = sum(stretch.seconds for stretch in stretches) or 1.0
    weights = [max(stretch.seconds / total, _LEAST_SHARE) for stretch in stretches]
    scale = 100 / sum(weights) if weights else 0.0
    left = 0.0
    for stretch, weight in zip(stretches, weights, strict=True):
        width = weight * scale
        yield Drawn(
            stretch,
            f"{left:.3f}%",
            f"{max(0.1, width - _GAP):.3f}%",
            f"{left + width - _GAP:.3f}%",
            of_several,
        )
        left += width


def _entries(stretches: Sequence[Stretch], attempts: int) -> Iterator[Entry]:
    """Each phase of a single attempt; of several, each attempt's whole time and its waits."""
    if attempts <= 1:
        for stretch in stretches:
            yield Entry(
                stretch.kind,
                stretch.word,
                stretch.seconds,
                stretch.start if stretch.open else None,
            )
        return
    number = 0
    for stretch in stretches:
        if not stretch.attempt:
            yield Entry(
                stretch.kind,
                stretch.word,
                stretch.seconds,
                stretch.start if stretch.open else None,
            )
        elif stretch.attempt != number:
            number = stretch.attempt
            own = [s for s in stretches if s.attempt == number]
            is_open = own[-1].open
            yield Entry(
                "running",
                f"Attempt {number}",
                sum(s.seconds for s in own),
                own[0].start if is_open else None,
            )
