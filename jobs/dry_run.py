"""What would come of submitting a job now, without submitting it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jobs.fit_check import Comes, FitCheck, Standing, fit_check
from jobs.holding_up import HoldUp, hold_up, seen
from jobs.services import job_check
from jobs.spec import DEFAULT_PRIORITY, parse_spec
from jobs.standing import live_on_full, standing_of
from jobs.unsubmitted import demand_of, need_of_demand
from jobs.way_out import ways_out
from jobs.whole_line import newcomers_place
from projects.actor import Actor
from projects.models import Project
from projects.selectors import project_get
from providers.fit import Answer, Need
from providers.models import Provider
from providers.selectors import provider_list


@dataclass(frozen=True, slots=True)
class DryRun:
    """The sentence with its rows; the provider that it would start on at once, if any; what bars
    it whatever room there is, in words; what would hold it up besides room; the place in line
    that it would have, from 1, where it does not start; what would let it start."""

    check: FitCheck
    need: Need
    starts_on: Provider | None
    forbidden: str
    hold_up: HoldUp | None
    place: int | None
    ways_out: tuple[str, ...]


def dry_run(actor: Actor, /, *, data: object) -> DryRun:
    """Refuses what submitting would (Invalid, Forbidden), tells of what is no more than full
    (LimitReached), and changes nothing."""
    job_check(actor, data=data)
    spec = parse_spec(data)
    project = project_get(actor, spec.project)
    return foresee(actor, spec.stored(), project, provider_list(actor))


def foresee(
    actor: Actor, spec: Mapping[str, Any], project: Project | None, providers: Sequence[Provider]
) -> DryRun:
    """The same of a spec that need not be whole (`demand_of` says what must be there); without a
    project no limit and no place is told. `providers`: all that there are."""
    demand, held = demand_of(spec), bool(spec.get("hold"))
    need = need_of_demand(demand)
    standing = standing_of(demand, project, providers)
    check = fit_check(need, standing, held=held)
    bar = check.bar
    waits = held or bar is not None or check.goes_to is None
    holds = _hold_up(actor, project, standing, check) if waits else None
    priority = spec.get("priority", DEFAULT_PRIORITY)
    in_line = waits and not held and (bar is None or bar.comes is Comes.WAITS)
    open_ = [(p, one) for p, one in check.answers if p.pk not in standing.kept]
    full = {} if check.goes_to else live_on_full(open_)
    lessened = need if bar is None and not held else None
    return DryRun(
        check=check,
        need=need,
        starts_on=None if waits else check.goes_to,
        forbidden=bar.words if bar is not None else "",
        hold_up=holds,
        place=newcomers_place(project, priority, need) if project and in_line else None,
        ways_out=ways_out(open_, full, actor.project_ids(), lessened) if full else (),
    )


def _hold_up(
    actor: Actor, project: Project | None, standing: Standing, check: FitCheck
) -> HoldUp | None:
    """What would hold it up besides room, and the jobs that this speaks of."""
    bar = check.bar
    if bar is not None and bar.jobs:
        return HoldUp(bar.words, seen(actor, bar.jobs))
    if bar is not None and bar.refusal is not None and project is not None:
        return hold_up(actor, project, bar.refusal.reason, bar.refusal.detail)
    kept = [p for p, one in check.answers if one.answer is Answer.FITS and p.pk in standing.kept]
    if check.goes_to is None and kept and project is not None:
        return hold_up(actor, project, "kept_free", {"job": standing.kept[kept[0].pk]})
    return None
