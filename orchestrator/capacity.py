"""Reading what room providers have, as their rows are now, for a plan and for its commit check."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from django.utils import timezone

from jobs.allowance import Amounts
from jobs.held import Held
from jobs.queue import Pair, in_use, keys_in_use, labelled, live_labelled
from orchestrator.scheduling.commit_check import still_fitting, view_of
from orchestrator.scheduling.limits import Limits
from orchestrator.scheduling.policy import Placed
from orchestrator.scheduling.snapshot import KeyView, ProjectView, ProviderView, WaitingClass
from projects.models import Project
from projects.prepared import PreparedQuery
from projects.shares import pause_words
from providers.models import Mode, Provider, ProviderImage

_SWITCHED_ON = PreparedQuery(
    lambda: Provider.objects.filter(deleted_at=None).exclude(mode=Mode.INACTIVE)
)
_LOCKED = PreparedQuery(
    lambda ids: (
        Provider.objects.filter(pk__any=ids, deleted_at=None, mode=Mode.ACTIVE)
        .order_by("pk")
        .select_for_update(of=("self",), no_key=True)
    )
)
_PROJECTS = PreparedQuery(lambda ids: Project.objects.filter(pk__any=ids))
_LOCKED_PROJECTS = PreparedQuery(
    lambda ids: Project.objects.filter(pk__any=ids).order_by("pk").select_for_update(no_key=True)
)
_IMAGES = PreparedQuery(lambda images: ProviderImage.objects.filter(image__any=images))


def provider_views(
    held: Mapping[int, Held], classes: Collection[WaitingClass]
) -> list[ProviderView]:
    """The providers that are not switched off, as they are to these classes: with those of the
    images that are asked for, and of the labels that are kept apart by, that each has."""
    now = timezone.now()
    has: dict[int, set[str]] = {}
    for row in _IMAGES.fetch({one.demand.image for one in classes}):
        has.setdefault(row.provider_id, set()).add(row.image)
    beside = live_labelled(_apart(classes))
    return [
        view_of(
            p, held.get(p.pk), now, images=has.get(p.pk, ()), apart=beside.get(p.pk, ())
        )
        for p in _SWITCHED_ON.fetch()
    ]  # fmt: skip


def project_views(projects: Collection[int], held: Mapping[int, Held]) -> dict[int, ProjectView]:
    """These projects, for the planner, with what their live attempts hold."""
    return _views(_PROJECTS.fetch(projects), held)


def key_views(keys: Collection[tuple[int, str]]) -> dict[tuple[int, str], KeyView]:
    """The live jobs of these concurrency keys."""
    return {
        key: KeyView(tuple(jobs), frozenset(stopping))
        for key, (jobs, stopping) in keys_in_use(keys).items()
    }


def fitting_now(placements: Sequence[Placed]) -> list[Placed]:
    """Placements that still fit, in their order, by the rows as they are at commit: the rows of
    providers and projects stay locked until the caller's transaction ends, so that nothing is
    placed beyond a limit, or in a project's pause, once setting it has been answered."""
    if not placements:
        return []
    rows = _LOCKED.fetch({p.provider for p in placements})
    held, now = in_use(), timezone.now()
    apart = _apart(placements)
    beside = live_labelled(apart)
    views = {
        p.pk: view_of(p, held.providers.get(p.pk), now, apart=beside.get(p.pk, ())) for p in rows
    }
    keys = key_views({(p.project, p.key.name) for p in placements if p.key is not None})
    projects = _views(_LOCKED_PROJECTS.fetch({p.project for p in placements}), held.projects)
    having = labelled([p.job for p in placements], apart)
    return still_fitting(placements, views, Limits(projects, keys), having)


def _apart(asking: Iterable[WaitingClass | Placed]) -> set[Pair]:
    """What any of them keeps apart from."""
    return {(one.project, *pair) for one in asking for pair in one.demand.apart}


def _views(projects: Iterable[Project], held: Mapping[int, Held]) -> dict[int, ProjectView]:
    return {p.pk: project_view(p, held.get(p.pk, Held())) for p in projects}


def project_view(project: Project, held: Held) -> ProjectView:
    """A project as the planner sees it, with what its live attempts hold."""
    return ProjectView(
        id=project.pk,
        slug=project.slug,
        weight=project.weight,
        running=held.attempts,
        cpu_millis=held.cpu_millis,
        memory_mb=held.memory_mb,
        gpus=held.gpus,
        limits=Amounts(
            project.max_running, project.max_cpu_millis, project.max_memory_mb, project.max_gpus
        ),
        paused=pause_words(project),
    )
