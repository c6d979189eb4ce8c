"""From a checked spec to a new job: what single and many submissions share.

Whether its project, provider and mounts are there and may be used, whose secrets it carries, and
what an `Idempotency-Key` has made before.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence

from django.conf import settings

from jobs.models import Job
from jobs.mount_check import mount_problems
from jobs.spec import JobSpec
from jobs.transitions import NewJob
from projects.actor import Actor
from projects.errors import Conflict, FieldProblem, Forbidden, Invalid, NotFound
from projects.models import Project, Role
from projects.secrets import seal_values
from projects.selectors import project_get
from providers.models import Provider
from providers.selectors import provider_named

MAX_KEY = 255


def must_submit(actor: Actor, project: Project) -> None:
    """Raises Forbidden unless the actor may submit and change jobs of this project."""
    if not actor.may(Role.SUBMITTER, project.pk):
        raise Forbidden(f"You may see the jobs of {project.slug} but not submit or change them.")


class Places:
    """The projects and providers that specs name, each looked up once, as one actor may use
    them."""

    def __init__(self, actor: Actor) -> None:
        self._actor = actor
        self._projects: dict[str, Project] = {}
        self._providers: dict[str, Provider] = {}

    def of(self, spec: JobSpec) -> Project:
        """The spec's project, once it, the provider and the mounts are found to be there; the
        provider need not be active now. Raises Invalid, Forbidden."""
        project = self._project(spec.project)
        mounts = [(mount.source, mount.read_only) for mount in spec.mounts]
        provider = None if spec.provider is None else self._provider(spec.provider)
        if problems := mount_problems(mounts, provider):
            raise Invalid(problems)
        return project

    def _project(self, slug: str) -> Project:
        if slug not in self._projects:
            try:
                project = project_get(self._actor, slug)
            except NotFound as error:
                raise Invalid([FieldProblem("/project", str(error))]) from None
            must_submit(self._actor, project)
            self._projects[slug] = project
        return self._projects[slug]

    def _provider(self, name: str) -> Provider:
        if name not in self._providers:
            self._providers[name] = provider_named(self._actor, name)
        return self._providers[name]


def new_job(
    actor: Actor,
    spec: JobSpec,
    project: Project,
    *,
    key: str | None,
    digest: bytes | None,
    rerun_of: Job | None = None,
    secrets_by: int | None = None,
) -> NewJob:
    """The row to be; `secrets_by` is the user who gave its secrets, if that is not the actor."""
    by = {"secret_env_by": secrets_by or actor.id} if spec.secret_env else {}
    return NewJob(
        project_id=project.pk,
        name=spec.name,
        spec=spec.stored() | by,
        secrets=seal_values(spec.secret_env),
        labels=spec.labels,
        image=spec.image,
        priority=spec.priority,
        cpu_millis=spec.cpu_millis,
        memory_mb=spec.resources.memory_mb,
        gpus=spec.resources.gpus,
        queue_timeout_seconds=spec.queue_timeout_seconds,
        concurrency_key=spec.concurrency.key if spec.concurrency is not None else "",
        held=spec.hold,
        submitted_by_id=actor.id,
        rerun_of_id=rerun_of.pk if rerun_of else None,
        idempotency_key=key,
        idempotency_digest=digest,
    )


def digest_of(what: str, data: object, key: str | None, *, longest: int = MAX_KEY) -> bytes | None:
    """What this key is used for; None without one. Keyed, because the body may hold short
    secrets. Raises Invalid for a key that is not `longest` printable characters or fewer."""
    if key is None:
        return None
    if not (1 <= len(key) <= longest and key.isascii() and key.isprintable()):
        raise Invalid(
            [FieldProblem("/Idempotency-Key", f"Use 1 to {longest} printable ASCII characters.")]
        )
    body = json.dumps(data, sort_keys=True, separators=(",", ":"))
    return hmac.digest(
        settings.SECRET_KEY.encode(), f"{what}\n{body}".encode("utf-8", "replace"), hashlib.sha256
    )


def earlier(actor: Actor, key: str | None, digest: bytes | None) -> int | None:
    """The job that this user's key made before. Raises Conflict for another body."""
    if key is None or digest is None:
        return None
    return next(iter(made_by(actor, [key], digest).values()), None)


def made_by(actor: Actor, keys: Sequence[str], digest: bytes) -> dict[str, int]:
    """The jobs that are there of those that this user's keys made before. Raises Conflict for
    another body."""
    rows = Job.objects.filter(submitted_by=actor.id, idempotency_key__in=keys).order_by("pk")
    made: dict[str, int] = {}
    for pk, key, used_for in rows.values_list("pk", "idempotency_key", "idempotency_digest"):
        if used_for is None or not hmac.compare_digest(bytes(used_for), digest):
            raise Conflict(f"This Idempotency-Key made job {pk} from another body. Use a new key.")
        made[str(key)] = pk
    return made
