"""What the regions of the New job page show: one context each, for the page and its fragment.

A job is written here in three ways: from nothing, from the sample while there is no job at all,
and from another job (`source`), whose secrets, mounts and script arguments come along unseen.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import uuid4

from django.conf import settings

from jobs import services
from jobs.curl import request_body
from jobs.dry_run import DryRun, foresee
from jobs.form_text import initial_of
from jobs.forms import JobForm
from jobs.hello import hello_spec
from jobs.models import Job
from jobs.preview import preview
from jobs.recent import recent_images
from jobs.selectors import attempt_of, job_any
from jobs.spec import parse_spec
from projects.actor import Actor
from projects.errors import Forbidden, Invalid
from projects.models import Role
from projects.quantities import cores_text, duration_text, memory_text
from projects.selectors import project_named, projects_of
from providers.models import Provider

LABELS_SHOWN = 8


def choices(actor: Actor, providers: list[Provider]) -> dict[str, Any]:
    """What the form lets choose from. Raises Forbidden for who may submit nowhere."""
    projects = [(p.slug, p.name) for p in projects_of(actor, Role.SUBMITTER)]
    if not projects:
        raise Forbidden("You may not submit jobs to any project. Ask one of its admins.")
    return {"projects": projects, "providers": [(p.name, p.name) for p in providers]}


def beginning(actor: Actor, source: Job | None, project: str) -> tuple[dict[str, Any], bool]:
    """Initial values and rows for the form, and whether they are the sample's."""
    spec: dict[str, Any] | None = None
    sample = source is None and not job_any(actor)
    if source is not None:
        spec = source.spec
    elif sample:
        spec = parse_spec(hello_spec(project)).stored()
    if spec is None:
        return {"initial": {"project": project}}, False
    values, env, _ = initial_of(spec)
    return {"initial": values, "env": env}, sample


def page(
    actor: Actor,
    form: JobForm,
    source: Job | None,
    *,
    starts: list[Job],
    providers: list[Provider],
    url: str,
) -> dict[str, Any]:
    """The whole page. `url`: where the API takes new jobs."""
    spec = source.spec if source is not None else {}
    context = {
        "form": form,
        "source": source,
        "kept_secrets": spec.get("secret_env_names", []),
        "kept_mounts": spec.get("mounts", []),
        "last_time": last_time(source) if source is not None else {},
        "starts": starts,
        "images": recent_images(actor),
        "known_labels": known_labels(providers),
        "once": uuid4().hex,
        "most_fields": settings.DATA_UPLOAD_MAX_NUMBER_FIELDS,
        "most_bytes": settings.DATA_UPLOAD_MAX_MEMORY_SIZE,
        "most_mib": settings.DATA_UPLOAD_MAX_MEMORY_SIZE // 2**20,
    }
    judged = form if form.is_bound else judge(actor, form.as_sent(), source)
    told = {fault.mark for fault in form.faults()} if form.is_bound else ()
    return context | check(actor, judged, source, providers, url, told)


def judge(actor: Actor, form: JobForm, source: Job | None) -> JobForm:
    """The sent form, told everything that submitting it would refuse."""
    form.is_valid()
    try:
        services.job_check(actor, data=changes_of(form, source), rerun_of=source)
    except Invalid as error:
        form.blame(error.problems)
    except Forbidden as error:
        form.add_error(None, str(error))
    return form


def changes_of(form: JobForm, source: Job | None) -> dict[str, Any]:
    """What a judged form submits: a spec, or what it changes in the source's."""
    changes = form.spec()
    if source is not None and _keeps_arguments(changes, source):
        del changes["args"]
    return changes


def check(
    actor: Actor,
    form: JobForm,
    source: Job | None,
    providers: list[Provider],
    url: str,
    told: Collection[str] = (),
) -> dict[str, Any]:
    """Where the job would go, what is still to mend, and what the API would take. `told`: the
    marks of what a refusal lists above the form, and is not listed here once more."""
    found = form.faults()
    faults = [fault for fault in found if fault.mark not in told]
    return {
        "told_above": len(faults) < len(found),
        "foreseen": foreseen(actor, form, providers),
        "missing": [fault for fault in faults if fault.missing],
        "faults": [fault for fault in faults if not fault.missing],
        "preview": preview(request_body(wanted(form, source)), url),
    }


def foreseen(actor: Actor, form: JobForm, providers: list[Provider]) -> DryRun | None:
    """What would come of it; None while its amounts or conditions cannot be read."""
    spec = form.spec()
    amounts = spec["resources"]
    readable = {*spec, *amounts}
    if not readable >= {"cpu_cores", "memory_mb", "gpus", "requires", "provider"}:
        return None
    project = project_named(actor, spec.get("project", ""))
    return foresee(actor, spec, project, providers)


def wanted(form: JobForm, source: Job | None) -> dict[str, Any]:
    """The whole spec that the form asks for, as it would be stored: with what comes along, and
    secrets by their names."""
    spec = form.spec()
    secrets = set(spec.pop("secret_env"))
    if source is not None:
        secrets |= set(source.spec.get("secret_env_names") or ())
        spec["mounts"] = source.spec.get("mounts") or []
        if _keeps_arguments(spec, source):
            spec["args"] = source.spec["args"]
    return spec | {"secret_env_names": sorted(secrets)}


def _keeps_arguments(spec: dict[str, Any], source: Job) -> bool:
    """A script's own arguments, which the form does not show, come along."""
    return spec["script"] is not None and source.spec.get("script") is not None


def last_time(source: Job) -> dict[str, str]:
    """What the source's last attempt used of what it was given, by the field it stands under."""
    attempt = attempt_of(source)
    if attempt is None:
        return {}
    words = {}
    if attempt.cpu_peak_millis is not None:
        words["cpu"] = f"peak {cores_text(attempt.cpu_peak_millis)} last time"
    if attempt.memory_peak_bytes is not None:
        words["memory"] = f"peak {memory_text(attempt.memory_peak_bytes / 2**20)} last time"
    begun, ended = attempt.started_at or attempt.running_at, attempt.finished_at
    if begun is not None and ended is not None:
        words["timeout"] = f"ran {duration_text((ended - begun).total_seconds())} last time"
    return words


def known_labels(providers: list[Provider]) -> list[str]:
    """Labels that providers have, as conditions to write; each once."""
    found = {f"{key} = {value}" for p in providers for key, value in p.labels.items()}
    return sorted(found)[:LABELS_SHOWN]
