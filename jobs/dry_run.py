"""What would come of submitting a job now, without submitting it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jobs.fit_check import FitCheck, fit_check
from jobs.services import job_check
from jobs.spec import parse_spec
from jobs.standing import demand_of, live_on, need_of_demand, standing_of
from jobs.way_out import ways_out
from projects.actor import Actor
from projects.selectors import project_get
from providers.fit import Fit, Need
from providers.models import Provider
from providers.selectors import provider_list


@dataclass(frozen=True, slots=True)
class DryRun:
    """The sentence with its rows; the provider that it would go to at once, if any; what its
    project's limits or its key forbid; what would let it start; what each provider says."""

    check: FitCheck
    goes_to: Provider | None
    forbidden: str
    ways_out: tuple[str, ...]
    answers: Sequence[tuple[Provider, Fit]]
    need: Need


def dry_run(actor: Actor, /, *, data: object) -> DryRun:
    """Refuses what submitting would (Invalid, Forbidden), and changes nothing."""
    job_check(actor, data=data)
    spec = parse_spec(data)
    demand = demand_of(spec.stored())
    need = need_of_demand(demand)
    standing = standing_of(demand, project_get(actor, spec.project), provider_list(actor))
    answers, goes_to = standing.fits(need), standing.chosen(need)
    starts = goes_to is not None and not standing.forbidden and not spec.hold
    live = {} if starts else live_on([provider.pk for provider, _ in answers])
    return DryRun(
        check=fit_check(need, standing, held=spec.hold),
        goes_to=goes_to if starts else None,
        forbidden=standing.forbidden,
        ways_out=() if goes_to else ways_out(answers, live, actor.project_ids()),
        answers=answers,
        need=need,
    )
