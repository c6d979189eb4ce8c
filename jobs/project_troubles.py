"""Which projects want attention, and why: one is paused while jobs wait in it, another has used up
what it may, or nearly. Values in, values out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from jobs.project_use import ProjectUse
from jobs.seen import Marks
from projects.models import Project
from projects.quantities import cores_text, listed, memory_text
from projects.shares import pause_words

NEAR = 0.9
"""From this part of a limit on it is told. A rate is not: it is over within a minute."""


@dataclass(frozen=True, slots=True)
class ProjectTrouble:
    """One project. `kind`: paused or limits; `words` go on after its slug, `waiting` jobs of it
    wait."""

    kind: str
    project: Project
    waiting: int
    words: str
    detail: str = ""

    @property
    def late(self) -> bool:
        """It can wait: nothing waits for it."""
        return not self.waiting

    @property
    def shape(self) -> str:
        """Its state shape."""
        return "held" if self.kind == "paused" else "warn"


@dataclass(frozen=True, slots=True)
class _Measure:
    """What is used of a limit; `of` names it, `text` says how much that is."""

    used: int
    limit: int | None
    of: str
    text: str

    @property
    def is_near(self) -> bool:
        """So little is left that it is told."""
        return self.limit is not None and self.used > 0 and self.used >= NEAR * self.limit

    @property
    def is_full(self) -> bool:
        """Nothing is left."""
        return self.limit is not None and self.used >= self.limit


def project_troubles(
    projects: Iterable[Project], use: Mapping[int, ProjectUse], marks: Marks
) -> list[ProjectTrouble]:
    """One entry for each project that has one, those first in which jobs wait. `use`: by the
    projects' ids; a pause that the person has marked as seen is none."""
    found = [one for each in projects if (one := _trouble(each, use[each.pk], marks))]
    return sorted(found, key=lambda one: (one.late, one.kind != "paused", one.project.slug))


def _trouble(project: Project, use: ProjectUse, marks: Marks) -> ProjectTrouble | None:
    if (at := project.paused_at) is not None:
        if not use.queued or marks.hide("paused", (project.pk, ""), at):
            return None
        words = pause_words(project)
        return ProjectTrouble("paused", project, use.queued, "is paused", words)
    near = [one for one in _measures(project, use) if one.is_near]
    if not near:
        return None
    full = [one for one in near if one.is_full]
    words = f"{'is at' if full else 'nears'} its limit of {listed([m.of for m in full or near])}"
    detail = ", ".join(one.text for one in near)
    return ProjectTrouble("limits", project, use.queued, words, detail)


def _measures(project: Project, use: ProjectUse) -> Iterator[_Measure]:
    held = use.held
    for used, limit, of in (
        (held.attempts, project.max_running, "running jobs"),
        (held.gpus, project.max_gpus, "GPUs"),
        (use.queued, project.max_queued, "waiting jobs"),
    ):
        yield _Measure(used, limit, of, f"{used:,} of {limit or 0:,} {of}")
    for used, limit, of, text in (
        (held.cpu_millis, project.max_cpu_millis, "CPU", cores_text),
        (held.memory_mb, project.max_memory_mb, "memory", memory_text),
    ):
        yield _Measure(used, limit, of, f"{text(used)} of {text(limit or 0)} {of}")
