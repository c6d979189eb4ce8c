"""Which build of Gantry this process runs: pages offer a reload when it changes."""

from __future__ import annotations

import hashlib
from functools import cache

from orchestrator.env import PROJECT_ROOT

_FOLDERS = ("orchestrator", "jobs", "providers", "projects", "templates", "static")
_SUFFIXES = {".py", ".html", ".css", ".js", ".sql"}


@cache
def build_id() -> str:
    """A short hash over the code, the templates and the static files; read once."""
    digest = hashlib.sha256()
    for folder in _FOLDERS:
        for path in sorted((PROJECT_ROOT / folder).rglob("*")):
            if path.suffix in _SUFFIXES:
                digest.update(str(path.relative_to(PROJECT_ROOT)).encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
