"""This machine's disk, and where logs are archived."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from orchestrator.doctor.finding import Finding, ok, problem, warning
from projects.quantities import bytes_text

CHECK = "disk"
LOW_BYTES = 2 * 2**30
LOW_SHARE = 0.05
NONE_BYTES = 200 * 2**20


def look() -> Iterator[Finding]:
    """Room in the data folder, and a small object written to the archive and deleted."""
    usage = shutil.disk_usage(Path(settings.DATA_DIR))
    left = f"{bytes_text(usage.free)} of {bytes_text(usage.total)} are free at {settings.DATA_DIR}."
    advice = (
        "Free some: the embedded Postgres and the log archive live there. Logs may be kept for "
        "a shorter time (admin, instance settings)."
    )
    if usage.free < NONE_BYTES:
        yield problem(CHECK, left, advice)
    elif usage.free < max(LOW_BYTES, usage.total * LOW_SHARE):
        yield warning(CHECK, left, advice)
    else:
        yield ok(CHECK, left)
    yield from _archive()


def _archive() -> Iterator[Finding]:
    try:
        name = default_storage.save(f"doctor/{uuid.uuid4().hex}", ContentFile(b"doctor"))
        default_storage.delete(name)
    except Exception as error:  # any storage, any error: it does not take what logs need
        yield problem(
            CHECK,
            f"The log archive takes nothing: {error}",
            "Logs stay in Postgres until it does. See the folder's rights, or the storage's login.",
        )
