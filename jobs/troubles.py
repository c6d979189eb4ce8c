"""What of a person's jobs wants attention, and why: decisions over rows. Values in, values out.

Three things do: a failure that nobody has taken care of since, a program that runs far
longer than its like, and a wait that no time will end. Of one name there is one entry of a
kind, however many jobs it has, so that the list stays one that is read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from jobs.advice import EDIT, RERUN, Action, advice_for
from jobs.last_runs import Name
from jobs.models import Job
from jobs.reasons import reason_text
from jobs.records import NO_RECORD, Record, Usual, coarse
from jobs.seen import Marks

HOPELESS = ("no_match", "no_provider", "too_large", "above_project_limit")
"""Waits that end only when somebody changes something."""
PATIENCE = timedelta(minutes=1)
"""A wait is told once it was hopeless for this long: a provider that is being added comes first."""
_FAR = 1.5
_FAR_SECONDS = 120.0
NOBODY: Name = (0, "")

_FAILED = {
    "exit_code": "failed with exit code {exit_code}",
    "oom_killed": "ran out of memory",
    "timeout": "hit its time limit of {limit}",
    "signalled": "ended with signal {signal}",
    "queue_timeout": "was not placed within its queue limit",
    "image_not_found": "asks for an image that was not found",
    "image_denied": "was denied its image",
    "registry_unreachable": "could not fetch its image",
    "could_not_start": "could not start its command",
    "rejected": "was refused by its provider",
    "removed_outside": "had its container removed by someone",
    "provider_lost": "was given up with its provider",
    "engine_stopped": "was ended by its engine",
    "restarted_outside": "was restarted by someone outside Gantry",
}
_WAITS = {
    "no_match": "fits no provider",
    "too_large": "is larger than any provider",
    "above_project_limit": "is larger than its project's limit",
    "no_provider": "waits, and no provider takes jobs",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A job as far as the decision needs it: what it is called, and when it failed, began to
    run, or began to wait for its reason."""

    id: int
    name: Name
    at: datetime
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """What is to be told. `kind`: failed, overlong or waits; `id`: of the job that stands for
    all `count` of them; `at`: when the newest came to be one; `late`: it can wait, because a
    later run completed."""

    kind: str
    id: int
    name: Name
    at: datetime
    count: int = 1
    late: bool = False

    @property
    def order(self) -> tuple[bool, bool, float]:
        """What can wait comes last; what failed first, the newest at its head."""
        return self.late, self.kind != "failed", -self.at.timestamp()


@dataclass(frozen=True, slots=True)
class Trouble:
    """An entry in words, with its job. `last_output`: when the engine last told a line of one
    that runs."""

    entry: Entry
    job: Job
    words: str
    detail: str = ""
    action: Action | None = None
    last_output: datetime | None = None

    @property
    def kind(self) -> str:
        """As its entry's."""
        return self.entry.kind

    @property
    def shape(self) -> str:
        """Its state shape."""
        return "failed" if self.kind == "failed" else "warn"


def failures(
    rows: Iterable[Row],
    rerun: Collection[int],
    marks: Marks,
    runs: Mapping[Name, Record],
) -> list[Entry]:
    """Failures by name, the latest of each standing for all. `rerun`: jobs that somebody has
    run again, whose rerun tells how it went."""
    groups: dict[Name, list[Row]] = {}
    for row in rows:
        if row.id not in rerun and not marks.hide("failed", row.name, row.at):
            groups.setdefault(row.name, []).append(row)
    found = []
    for name, group in groups.items():
        latest = max(group, key=lambda one: one.at)
        mended = runs.get(name, NO_RECORD).completed > latest.id
        found.append(Entry("failed", latest.id, name, latest.at, len(group), mended))
    return found


def overlong_after(usual: Usual | None) -> float | None:
    """After how many seconds a run is far longer than nearly all before it; None: who knows."""
    if usual is None:
        return None
    return max(_FAR * usual.most, usual.most + _FAR_SECONDS)


def overlong(
    running: Iterable[Row], runs: Mapping[Name, Record], marks: Marks, now: datetime
) -> list[Entry]:
    """Running jobs that take far longer than their like; of each name the longest."""
    limits = {name: overlong_after(found.usual) for name, found in runs.items()}
    groups: dict[Name, list[Row]] = {}
    for row in running:
        limit = limits.get(row.name)
        if limit is not None:
            at = row.at + timedelta(seconds=limit)
            if at <= now and not marks.hide("overlong", row.name, at):
                groups.setdefault(row.name, []).append(replace(row, at=at))
    return [_of_several("overlong", min(group, key=_at), group) for group in groups.values()]


def waits(waiting: Iterable[Row], marks: Marks, now: datetime) -> list[Entry]:
    """Jobs whose wait nothing will end, by name; those without any provider together."""
    groups: dict[tuple[str, Name], list[Row]] = {}
    for row in waiting:
        at = row.at + PATIENCE
        if row.reason in HOPELESS and at <= now and not marks.hide("waits", row.name, at):
            together = NOBODY if row.reason == "no_provider" else row.name
            groups.setdefault((row.reason, together), []).append(replace(row, at=at))
    return [_of_several("waits", group[0], group) for group in groups.values()]


def in_order(found: Iterable[Entry]) -> list[Entry]:
    """The entries as they are shown."""
    return sorted(found, key=lambda one: one.order)


def told(entry: Entry, job: Job, record: Record) -> Trouble:
    """An entry in words. `job`: the one that stands for it, whole; `record`: of its name."""
    usual = record.usual
    if entry.kind == "overlong":
        words = f"usually {coarse(usual.half)}" if usual else "longer than usual"
        return Trouble(entry, job, words, _sentence(usual))
    if entry.kind == "waits":
        reason, told_of = job.told
        action = None if reason == "no_provider" else EDIT
        text = reason_text(reason, told_of)
        return Trouble(entry, job, _WAITS.get(reason, "waits"), text, action)
    numbers = {"exit_code": job.exit_code, "limit": "–", "signal": "–"} | job.reason_detail
    known = _FAILED.get(job.reason)
    words = known.format_map(numbers) if known else f"failed: {reason_text(job.reason, numbers)}"
    detail = _sentence(usual) if job.reason == "timeout" else ""
    return Trouble(entry, job, words, detail, _fix(job))


def _fix(job: Job) -> Action:
    """The likeliest action that mends something; to look is what the entry's name is for."""
    advice = advice_for(job)
    actions = advice.actions if advice else ()
    return next((a for a in actions if a.kind in ("rerun", "edit", "provider")), RERUN)


def _sentence(usual: Usual | None) -> str:
    """What is usual, as a sentence."""
    return f"{usual.words[:1].upper()}{usual.words[1:]}." if usual else ""


def _at(row: Row) -> datetime:
    return row.at


def _of_several(kind: str, first: Row, group: Sequence[Row]) -> Entry:
    """One entry for several; it is as new as the newest of them."""
    return Entry(kind, first.id, first.name, max(map(_at, group)), len(group))
