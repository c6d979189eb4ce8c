"""What the pages of projects show: each one's share of the instance, as limits, use and what
waits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any

from django.db.models import Sum

from jobs.held import Held
from jobs.project_use import ProjectUse, below_use, project_use
from orchestrator.member_form import MemberForm
from orchestrator.share_preview import ProjectLine, share_preview, starting
from projects.actor import Actor
from projects.kept import Kept
from projects.members import may_manage
from projects.models import Project, Role
from projects.quantities import cores_text, memory_text
from projects.selectors import members_of, shares_of
from projects.shares import may_limit, may_pause, pause_words, share_values
from providers.models import Mode, Provider
from providers.selectors import provider_list

MOST_SHOWN = 200
MOST_MEMBERS = 100
KEPT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Meter:
    """One measure: what is used, what is wanted besides, and the limit; `whole` is the limit or,
    without one, all that the instance has. `words` say the same beside the bar."""

    word: str
    used: int
    wanted: int
    whole: int | None
    limited: bool
    words: str
    waits: str = ""

    @property
    def with_wanted(self) -> int:
        """What would be used if of all that waits as much ran as there is room for."""
        return max(self.used, min(self.used + self.wanted, self.whole or 0))

    @property
    def over(self) -> bool:
        """More is used than the limit, which was lowered meanwhile."""
        return self.limited and self.whole is not None and self.used > self.whole


@dataclass(frozen=True, slots=True)
class Instance:
    """What all providers that are not switched off have, and the weights of all projects."""

    capacity: Held
    weights: int

    def part_of_use(self, held: Held) -> float:
        """The largest of the parts of CPU, memory and GPUs that are held: the dominant share."""
        both = (
            (held.cpu_millis, self.capacity.cpu_millis),
            (held.memory_mb, self.capacity.memory_mb),
            (held.gpus, self.capacity.gpus),
        )
        return max((used / total for used, total in both if total), default=0.0)

    def part_of_weight(self, weight: int) -> float:
        """What the project gets when every project has work."""
        return weight / max(1, self.weights)


@dataclass(frozen=True, slots=True)
class InLine:
    """What of a project is in line: how many jobs, of as many kinds as were looked at
    (`cut_short`: there are more); what they ask for together; how many could start at once, in
    words, were it not paused."""

    waiting: int
    wanted: Held
    starting: str
    cut_short: bool


_IN_LINE: Kept[InLine] = Kept(KEPT_SECONDS)


@dataclass(frozen=True, slots=True)
class Row:
    """One project of the list."""

    project: Project
    use: ProjectUse
    meters: tuple[Meter, ...]
    entitled: str
    takes: str
    over: bool


def project_rows(actor: Actor) -> dict[str, Any]:
    """All projects whose share the actor may see."""
    projects = list(shares_of(actor)[: MOST_SHOWN + 1])
    shown = projects[:MOST_SHOWN]
    use, instance = project_use(shown), _instance(provider_list(actor))
    return {
        "rows": [_row(project, use[project.pk], instance) for project in shown],
        "more": len(projects) > MOST_SHOWN,
        "most": MOST_SHOWN,
        "operates": actor.may_operate,
    }


def project_detail(actor: Actor, project: Project, after: str = "") -> dict[str, Any]:
    """One project, of which the actor may see the share: what it is, what it uses, what waits and
    could start, who is in it, `after` a user name."""
    use = project_use([project])[project.pk]
    line, instance = _in_line(project), _instance(provider_list(actor))
    found = list(members_of(project, after)[: MOST_MEMBERS + 1])
    shown = found[:MOST_MEMBERS]
    return {
        "project": project,
        "use": use,
        "line": line,
        "meters": list(_meters(project, use, line.wanted, instance)),
        "over": list(below_use(project, use)),
        "entitled": _percent(instance.part_of_weight(project.weight)),
        "weights": instance.weights,
        "takes": _percent(instance.part_of_use(use.held)),
        "starting": line.starting,
        "paused": pause_words(project),
        "members": [(m.user, m.role, Role(m.role).label.partition(":")) for m in shown],
        "members_after": after,
        "more_members": shown[-1].user.get_username() if len(found) > len(shown) else "",
        "adding": MemberForm() if may_manage(actor, project) else None,
        "may_limit": may_limit(actor),
        "may_pause": may_pause(actor, project),
        "is_member": actor.may(Role.VIEWER, project.pk),
    }


def preview_of(project: Project, after: Project) -> dict[str, Any]:
    """What it would mean that the project becomes `after`."""
    use = project_use([project])[project.pk]
    weights = _weights()
    return {
        "preview": share_preview(project, after, use, ProjectLine(project)),
        "entitled": _percent(project.weight / max(1, weights)),
        "entitled_then": _percent(after.weight / max(1, weights - project.weight + after.weight)),
        "reweighed": after.weight != project.weight,
    }


def _in_line(project: Project) -> InLine:
    """Kept for some seconds, for all who look at the page: a long line takes as long as a look
    of the planner. Another share of it is another answer at once."""

    def read() -> InLine:
        line, resumed = ProjectLine(project), copy(project)
        resumed.paused_at = None
        told = starting(line.outlook(resumed))
        return InLine(line.waiting, line.wanted(), told, line.cut_short)

    share = tuple(sorted(share_values(project).items()))
    return _IN_LINE.get((project.pk, share), read)


def _row(project: Project, use: ProjectUse, instance: Instance) -> Row:
    return Row(
        project=project,
        use=use,
        meters=(
            _meter("Running", use.held.attempts, project.max_running, _count),
            _meter("Waiting", use.queued, project.max_queued, _count),
        ),
        entitled=_percent(instance.part_of_weight(project.weight)),
        takes=_percent(instance.part_of_use(use.held)),
        over=any(below_use(project, use)),
    )


def _meters(project: Project, use: ProjectUse, wanted: Held, instance: Instance) -> Iterator[Meter]:
    held, all_ = use.held, instance.capacity
    yield _meter("Running jobs", held.attempts, project.max_running, _count, wanted.attempts)
    yield _meter(
        "CPU", held.cpu_millis, project.max_cpu_millis, cores_text, wanted.cpu_millis,
        all_.cpu_millis,
    )  # fmt: skip
    yield _meter(
        "Memory", held.memory_mb, project.max_memory_mb, memory_text, wanted.memory_mb,
        all_.memory_mb,
    )  # fmt: skip
    if any((held.gpus, wanted.gpus, all_.gpus, project.max_gpus is not None)):
        yield _meter("GPUs", held.gpus, project.max_gpus, _count, wanted.gpus, all_.gpus)
    yield _meter("Waiting jobs", use.queued, project.max_queued, _count)
    if use.submitted is not None:
        yield _meter("Submitted in a minute", use.submitted, project.submits_per_minute, _count)


def _meter(
    word: str,
    used: int,
    limit: int | None,
    words: Callable[[int], str],
    wanted: int = 0,
    whole: int | None = None,
) -> Meter:
    bound = f"of {words(limit)}" if limit is not None else "no limit"
    told = f"{words(used)} {bound}" if limit is not None else f"{words(used)}, {bound}"
    waits = f"{words(wanted)} more in line" if wanted else ""
    return Meter(
        word=word,
        used=used,
        wanted=wanted,
        whole=whole if limit is None else limit,
        limited=limit is not None,
        words=told,
        waits=waits,
    )


def _instance(providers: Sequence[Provider]) -> Instance:
    there = [provider for provider in providers if provider.mode != Mode.INACTIVE]
    capacity = Held(
        sum(one.total_cpu_millis for one in there),
        sum(one.total_memory_mb for one in there),
        sum(one.total_gpus for one in there),
    )
    return Instance(capacity, _weights())


def _weights() -> int:
    return Project.objects.aggregate(all=Sum("weight"))["all"] or 0


def _count(number: int) -> str:
    return f"{number:,}"


def _percent(part: float) -> str:
    """As in "33 %"; what is less than half of one but something is not told as nothing."""
    percent = 100 * part
    return "less than 1 %" if 0 < percent < 0.5 else f"{percent:.0f} %"
