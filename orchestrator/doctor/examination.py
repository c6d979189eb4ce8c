"""The whole examination, in the order in which things rest on each other."""

from __future__ import annotations

from django.db import DatabaseError, connection

from orchestrator.doctor import database, disk, engines, jobs, leases, settings
from orchestrator.doctor.finding import Finding, Level, problem


def examine() -> list[Finding]:
    """All findings. Without its database little can be told; that is said instead."""
    found = [*settings.look(), *disk.look()]
    try:
        connection.ensure_connection()
        found += database.look()
        if not any(f.check == database.CHECK and f.level is Level.PROBLEM for f in found):
            for part in (leases, engines, jobs):
                found += part.look()
    except DatabaseError as error:
        found.append(
            problem(
                database.CHECK,
                f"It does not answer: {str(error).strip()}",
                "Start it (make up starts the embedded one), or correct DATABASE_URL. Programs "
                "that run go on meanwhile.",
            )
        )
    return found
