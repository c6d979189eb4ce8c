"""What a change of a provider would mean, told before it is made: to what runs there, to what
waits, to what will be submitted."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from jobs.consequences import Consequences, Fate, consequences
from jobs.models import Attempt, Job
from jobs.selectors import jobs_of
from jobs.waiting_classes import first_in_line, waiting_classes
from jobs.whole_line import WholeLine, whole_line
from projects.actor import Actor
from projects.quantities import cores_text, memory_text
from providers.fit import takes_jobs, why_down
from providers.models import Mode, Provider, RequestStatus
from providers.selectors import ProviderUse, latest_test, provider_list, provider_use

MOST_NAMED = 5
MOST_LISTED = 200


@dataclass(frozen=True, slots=True)
class Named:
    """A job that a change concerns, and why it will wait, where it will."""

    job: Job
    why: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Jobs that a change concerns in the same way: all of them counted, the first named.

    Who has no name is one too many, or not this person's to see.
    """

    count: int
    named: tuple[Named, ...]

    @property
    def rest(self) -> int:
        """How many have no name here."""
        return self.count - len(self.named)

    @property
    def why(self) -> str:
        """What the pages of all that are named will say, where that is the same."""
        said = {one.why for one in self.named}
        return said.pop() if len(said) == 1 else ""


def mode_change(
    actor: Actor, provider: Provider, after: Provider, *, listed: bool = False
) -> dict[str, Any]:
    """What it means that an operator wants something else of a provider. `listed`: name all
    jobs that can be named, not only the first few."""
    found = _change(actor, provider, after, most=MOST_LISTED if listed else MOST_NAMED)
    return found | {"tested": _tested(provider)}


def change(actor: Actor, provider: Provider, after: Provider) -> dict[str, Any]:
    """What other limits, other labels and another mode mean.

    `harms`: somebody should see it before it is so. `seen`: a word for that harm, which a
    confirmation brings back: it is another one as soon as the harm is.
    """
    found = _change(actor, provider, after, most=MOST_NAMED)
    over = list(_over(provider, after, found["use"]))
    leaves = provider.mode == Mode.ACTIVE and after.mode != Mode.ACTIVE
    told = found | {"over": over, "harms": bool(over or found["stuck"] or leaves)}
    if after.mode != provider.mode:
        # Listed: its form has no place for a link to the same in full, which would empty it.
        told |= {"mode": after.mode, "tested": _tested(provider), "listed": True}
    return told | {"seen": _seen(told)}


def _seen(told: dict[str, Any]) -> str:
    """The harm that was told. Not in it: which jobs of the same number run, because what runs
    goes on, and what gains a place."""
    stuck: Group | None = told["stuck"]
    waiting = [stuck.count, *([one.job.pk, one.why] for one in stuck.named)] if stuck else []
    mode = [told["mode"], told["others"] > 0] if "mode" in told else []
    harm = [told["over"], told["running"].count, waiting, mode]
    return hashlib.sha256(json.dumps(harm).encode()).hexdigest()[:32]


def _tested(provider: Provider) -> bool:
    test = latest_test(provider)
    return test is not None and test.status == RequestStatus.DONE


def _change(actor: Actor, provider: Provider, after: Provider, *, most: int) -> dict[str, Any]:
    now = timezone.now()
    everything = provider_list(actor)
    used = provider_use([one.pk for one in everything])
    use = used[provider.pk]
    classes = waiting_classes()
    told = consequences(provider, after, everything, used, classes, now)
    line = whole_line() if told.hits else None
    groups = {fate.value: _group(actor, told, fate, most, line) for fate in Fate}
    return groups | {
        "provider": provider,
        "use": use,
        "running_words": f"provider:{provider.name} state:scheduled state:running",
        "running": _running(actor, provider, use, most),
        "not_now": why_down(after, now)[1],
        "waiting": told.waiting,
        "others": sum(takes_jobs(one, now) for one in everything if one.pk != provider.pk),
        "sees_all": actor.project_ids() is None,
    }


def _running(actor: Actor, provider: Provider, use: ProviderUse, most: int) -> Group:
    """What is there now, the longest first."""
    found = Attempt.objects.filter(provider=provider, ended_at=None)
    ids = actor.project_ids()
    if ids is not None:
        found = found.filter(job__project__in=sorted(ids))
    rows = found.select_related("job").defer("job__spec", "job__secrets").order_by("pk")[:most]
    named = tuple(Named(attempt.job) for attempt in rows)
    return Group(max(use.running, len(named)), named)


def _group(
    actor: Actor, told: Consequences, fate: Fate, most: int, line: WholeLine | None
) -> Group | None:
    """The jobs of one fate, in the queue's order; none where there are none. Those before a
    retry are counted, and named once they are in line."""
    hits = told.hits.get(fate, ())
    if not hits or line is None:
        return None
    why = {hit.jobs.need: hit.why for hit in hits}
    first = dict(first_in_line(line, actor, frozenset(why), most))
    rows = jobs_of(actor).defer("spec", "secrets").in_bulk(list(first))
    named = (Named(rows[pk], why[need]) for pk, need in first.items() if pk in rows)
    return Group(told.count(fate), tuple(named))


def _over(before: Provider, after: Provider, use: ProviderUse) -> Iterator[str]:
    """Each limit that would be below what jobs hold now, in words."""
    for held, old, new, words in (
        (use.cpu_millis, before.total_cpu_millis, after.total_cpu_millis, _cpu),
        (use.memory_mb, before.total_memory_mb, after.total_memory_mb, _memory),
        (use.gpus, before.total_gpus, after.total_gpus, _gpus),
        (use.running, before.slots, after.slots, _slots),
    ):
        if new is not None and held > new and (old is None or new < old):
            yield words(held, new)


def _cpu(held: int, new: int) -> str:
    return f"Jobs hold {cores_text(held)} CPU now, and the new limit is {cores_text(new)}."


def _memory(held: int, new: int) -> str:
    return f"Jobs hold {memory_text(held)} now, and the new limit is {memory_text(new)}."


def _gpus(held: int, new: int) -> str:
    return f"Jobs hold {held} GPU now, and the new limit is {new}."


def _slots(held: int, new: int) -> str:
    return f"{held} jobs run here now, and the new limit is {new} at once."


def mode_of(text: str) -> Mode | None:
    """The mode that an address names, if it is one."""
    return Mode(text) if text in Mode.values else None
