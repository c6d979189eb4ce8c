"""How an attempt ended, as whoever reads its log to the end is told."""

from __future__ import annotations

from typing import Any

from jobs.models import Attempt


def ending(attempt_id: int) -> dict[str, Any]:
    """The fields of an `end` message (docs/live.md). Raises Attempt.DoesNotExist when the job
    was deleted."""
    attempt = Attempt.objects.select_related("job").get(pk=attempt_id)
    return {
        "state": attempt.job.state,
        "outcome": attempt.outcome,
        "reason": attempt.reason,
        "exit_code": attempt.exit_code,
        "complete": attempt.log_complete,
        "note": attempt.log_note,
        "lines": attempt.log_lines,
    }
