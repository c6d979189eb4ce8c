"""Which mounts of a job the providers allow that it may be placed on."""

from __future__ import annotations

from collections.abc import Sequence

from projects.errors import FieldProblem
from providers.models import Provider
from providers.mounts import mount_allowed


def mount_problems(
    mounts: Sequence[tuple[str, bool]], provider: Provider | None
) -> list[FieldProblem]:
    """The mounts, each its source and whether it is read only, that this provider does not allow,
    or, without one, that not every provider allows."""
    if not mounts:
        return []
    if provider is not None:
        lists = [provider.mount_allow_list]
        words = f"The administrator of {provider.name} does not allow this mount"
    else:
        living = Provider.objects.filter(deleted_at__isnull=True)
        lists = list(living.values_list("mount_allow_list", flat=True)) or [[]]
        words = "Not every provider allows this mount; name a provider that does"
    return [
        FieldProblem(f"/mounts/{index}/source", words + ("." if read_only else " (for writing)."))
        for index, (source, read_only) in enumerate(mounts)
        if not all(mount_allowed(a, source, read_only=read_only) for a in lists)
    ]
