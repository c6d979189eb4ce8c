"""What a change of a project's share would do, told before it is made: which of its jobs that
are in line could start at once, and what goes on beyond a limit that is below it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from jobs.held import Held
from jobs.project_use import LineOfClass, ProjectUse, below_use, line_of
from jobs.queue import in_use
from jobs.reasons import reason_text
from orchestrator.capacity import key_views, project_view, provider_views
from orchestrator.line import clock, waiting_class
from orchestrator.scheduling.outlook import Outlook, outlook
from orchestrator.scheduling.snapshot import Snapshot
from projects.models import Project

DEPTH = 200
"""So many jobs of a class are looked at, the first; more may be able to start …"""
MOST_CLASSES = 1000
"""… and so many kinds of jobs, those of the highest priority."""
MOST_REASONS = 3


@dataclass(frozen=True, slots=True)
class Kept:
    """So many jobs would wait on, and why."""

    number: int
    why: str


@dataclass(frozen=True, slots=True)
class Preview:
    """`sentence` says what could start; `kept` why the others wait; `over` what limits below
    what is in use mean. `cut_short`: there are more kinds of jobs than were looked at."""

    sentence: str
    kept: tuple[Kept, ...]
    over: tuple[str, ...]
    cut_short: bool


class ProjectLine:
    """What of a project is in line and what it is held against, read once for several answers."""

    def __init__(self, project: Project) -> None:
        found = line_of(project.pk, depth=DEPTH, most=MOST_CLASSES + 1)
        self.classes: list[LineOfClass] = found[:MOST_CLASSES]
        self.cut_short = len(found) > MOST_CLASSES
        classes = tuple(waiting_class(one.first) for one in self.classes)
        held, times = in_use(), clock()
        self._held = held.projects.get(project.pk, Held())
        self._snapshot = Snapshot(
            classes=classes,
            providers=tuple(provider_views(held.providers, classes)),
            keys=key_views({(c.project, c.key.name) for c in classes if c.key is not None}),
            now=times["now"],
            patience=times["patience"],
        )

    @property
    def waiting(self) -> int:
        """How many jobs are in line, of the classes that were looked at."""
        return sum(one.waiting for one in self.classes)

    def wanted(self) -> Held:
        """What all that are in line ask for together."""
        both = zip(self.classes, self._snapshot.classes, strict=True)
        asked = [(one.waiting, planned.demand) for one, planned in both]
        return Held(
            sum(number * demand.cpu_millis for number, demand in asked),
            sum(number * demand.memory_mb for number, demand in asked),
            sum(number * demand.gpus for number, demand in asked),
            self.waiting,
        )

    def outlook(self, project: Project) -> Outlook:
        """What could start with that share, were the project the only one with jobs in line."""
        view = project_view(project, self._held)
        snapshot = replace(self._snapshot, projects={project.pk: view})
        return outlook(snapshot, {one.first.id: one.waiting for one in self.classes})


def share_preview(before: Project, after: Project, use: ProjectUse, line: ProjectLine) -> Preview:
    """What it would mean that the project becomes `after`."""
    now, then = line.outlook(before), line.outlook(after)
    return Preview(
        sentence=" ".join(_sentences(now, then)),
        kept=tuple(
            Kept(number, reason_text(refusal.reason, refusal.detail))
            for refusal, number in then.kept[:MOST_REASONS]
        ),
        over=tuple(below_use(after, use)),
        cut_short=line.cut_short,
    )


def starting(found: Outlook) -> str:
    """How many of those in line could start at once: "3 of the 40 in line could start at once"."""
    if not found.waiting:
        return "None of its jobs is in line"
    if found.starts == found.waiting:
        all_ = "The 1" if found.waiting == 1 else f"All {found.waiting:,}"
        return f"{all_} in line could start at once"
    number = f"{found.starts:,}{' or more' if found.more else ''}" if found.starts else "None"
    return f"{number} of the {found.waiting:,} in line could start at once"


def _sentences(now: Outlook, then: Outlook) -> Iterator[str]:
    yield f"{starting(then)}."
    if then.waiting and now.starts != then.starts:
        as_is = f"{now.starts:,}{' or more' if now.more else ''}" if now.starts else "none"
        yield f"As it is now, {as_is} could."
