"""What of a person's jobs wants attention, and why: decisions over rows. Values in, values out.

Three things do: a failure that nobody has taken care of since, a program that runs far
longer than its like, and a wait that no time will end. Of one name there is one entry of a
kind, however many jobs it has, so that the list stays one that is read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from jobs.advice import EDIT, RERUN, Action, advice_for
from jobs.last_runs import NONE, LastRuns, Name, Usual, coarse, name_of
from jobs.models import Job
from jobs.reasons import reason_text
from jobs.seen import Marks

HOPELESS = ("no_match", "no_provider", "too_large")
"""Waits that end only when somebody changes something."""
PATIENCE = timedelta(minutes=1)
"""A hopeless wait is told after this: a provider that is being added comes first."""
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
    "no_provider": "waits, and no provider takes jobs",
}


@dataclass(frozen=True, slots=True)
class Failed:
    """A failed job as far as grouping needs it."""

    id: int
    name: Name
    at: datetime


@dataclass(frozen=True, slots=True)
class Failures:
    """The failures of one name that were not seen: the latest, and how many."""

    latest: Failed
    count: int
    mended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Trouble:
    """One entry. `kind`: failed, overlong or waits; `at`: when it came to be one; `count`: of
    how many jobs it tells; `late`: it can wait, because a later run completed;
    `last_output`: when the engine last told a line of one that runs."""

    kind: str
    job: Job
    at: datetime
    words: str
    detail: str = ""
    count: int = 1
    action: Action | None = None
    late: bool = False
    last_output: datetime | None = None

    @property
    def shape(self) -> str:
        """Its state shape."""
        return "failed" if self.kind == "failed" else "warn"

    @property
    def name(self) -> Name:
        """What it is acknowledged by."""
        return name_of(self.job)

    @property
    def order(self) -> tuple[bool, bool, float]:
        """What can wait comes last; what failed first, the newest at its head."""
        return self.late, self.kind != "failed", -self.at.timestamp()


def failures(
    rows: Iterable[Failed],
    rerun: Collection[int],
    marks: Marks,
    runs: Mapping[Name, LastRuns],
) -> list[Failures]:
    """Failures by name, the latest of each standing for all. `rerun`: jobs that somebody has
    run again, whose rerun tells how it went."""
    groups: dict[Name, list[Failed]] = {}
    for row in rows:
        if row.id not in rerun and not marks.hide(row.name, row.at):
            groups.setdefault(row.name, []).append(row)
    found = []
    for name, group in groups.items():
        latest = max(group, key=lambda one: one.at)
        after = runs.get(name, NONE).completed_after(latest.id)
        found.append(Failures(latest, len(group), after.finished_at if after else None))
    return found


def failed(of: Failures, job: Job, runs: LastRuns) -> Trouble:
    """The entry of failures. `job`: the latest of them, whole."""
    told = _FAILED.get(job.reason)
    detail = {"exit_code": job.exit_code, "limit": "–", "signal": "–"} | job.reason_detail
    words = told.format_map(detail) if told else f"failed: {reason_text(job.reason, detail)}"
    usual = runs.usual if job.reason == "timeout" else None
    return Trouble(
        "failed",
        job,
        of.latest.at,
        words,
        detail=_told(usual) if usual else "",
        count=of.count,
        action=_fix(job),
        late=of.mended_at is not None,
    )


def _fix(job: Job) -> Action:
    """The likeliest action that mends something; to look is what the entry's name is for."""
    advice = advice_for(job)
    actions = advice.actions if advice else ()
    return next((a for a in actions if a.kind in ("rerun", "edit", "provider")), RERUN)


def overlong_after(usual: Usual | None) -> float | None:
    """After how many seconds a run is far longer than nearly all before it; None: who knows."""
    if usual is None:
        return None
    return max(_FAR * usual.most, usual.most + _FAR_SECONDS)


def overlong(
    running: Iterable[Job], runs: Mapping[Name, LastRuns], marks: Marks, now: datetime
) -> list[Trouble]:
    """Running jobs that take far longer than their like; of each name the longest."""
    groups: dict[Name, list[Trouble]] = {}
    for job in running:
        usual = runs.get(name_of(job), NONE).usual
        limit = overlong_after(usual)
        if usual is None or limit is None or job.started_at is None:
            continue
        at = job.started_at + timedelta(seconds=limit)
        if at <= now and not marks.hide(name_of(job), at):
            words = f"usually {coarse(usual.half)}"
            one = Trouble("overlong", job, at, words, _told(usual))
            groups.setdefault(name_of(job), []).append(one)
    return [_of_several(group, first=min(group, key=lambda t: t.at)) for group in groups.values()]


def _told(usual: Usual) -> str:
    """What is usual, as a sentence."""
    return f"{usual.words[:1].upper()}{usual.words[1:]}."


def waits(waiting: Iterable[Job], marks: Marks) -> list[Trouble]:
    """Jobs whose wait nothing will end, by name; those without any provider together."""
    groups: dict[tuple[str, Name], list[Trouble]] = {}
    for job in waiting:
        if job.reason not in HOPELESS or marks.hide(name_of(job), job.queued_at):
            continue
        alone = job.reason != "no_provider"
        text = reason_text(job.reason, job.reason_detail)
        one = Trouble(
            "waits", job, job.queued_at, _WAITS[job.reason], text, action=EDIT if alone else None
        )
        groups.setdefault((job.reason, name_of(job) if alone else NOBODY), []).append(one)
    return [_of_several(group, first=group[0]) for group in groups.values()]


def _of_several(group: Sequence[Trouble], first: Trouble) -> Trouble:
    """One entry for several; it is as new as the newest of them."""
    newest = max(one.at for one in group)
    return Trouble(
        first.kind, first.job, newest, first.words, first.detail, len(group), first.action
    )


def in_order(found: Iterable[Trouble]) -> list[Trouble]:
    """The entries as they are shown."""
    return sorted(found, key=lambda one: one.order)
