"""What to do about a failure: one suggestion for each reason that has a usual answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlencode

from jobs.models import Job
from jobs.states import JobState
from projects.quantities import duration_text, memory_text


@dataclass(frozen=True, slots=True)
class Advice:
    """A sentence, and the button that does it: the job form with these fields changed."""

    text: str
    action: str = "Rerun with edits"
    changes: dict[str, str] = field(default_factory=dict)

    @property
    def query(self) -> str:
        """The changes as the job form's query string."""
        return urlencode(self.changes)


_TEXTS = {
    "image_not_found": "Check the image's name and tag, and that the registry has it.",
    "image_denied": "Give the provider a login to that registry, or check its rights.",
    "registry_unreachable": "Check the provider's way to the registry, then run it again.",
    "could_not_start": "Check that the command exists in the image and may be executed.",
    "rejected": "Change what the provider refused.",
    "exit_code": "The program itself said that it failed; its last lines tell why.",
    "signalled": "Nothing of Gantry's sent it. A crash, the host, or the program itself did.",
    "removed_outside": "Somebody removed the container on the provider. Run it again.",
    "provider_lost": "The program may still run there. Look at the provider before a rerun.",
    "engine_stopped": "The engine was restarted under the job. Run it again.",
    "restarted_outside": "Somebody restarted the container on the provider. Run it again.",
    "spec_unreadable": "Submit it anew. Its stored spec was changed, or is of another version.",
    "secrets_unreadable": "Give the secrets anew: run it again with edits.",
    "engine_failed": "Look at the working directory and mounts, and at the engine's own log.",
    "gantry_failed": "Tell your administrator: the log of the engine process says more.",
}


def advice_for(job: Job) -> Advice | None:
    """A suggestion for a failed job; None for those that did not fail."""
    if job.state != JobState.FAILED:
        return None
    if job.reason == "oom_killed":
        more = max(job.memory_mb * 2, 16)
        words = memory_text(more)
        return Advice(
            f"Give it {words}: another try with the same limit would end the same way.",
            f"Rerun with {words}",
            {"memory_mb": str(more)},
        )
    if job.reason == "timeout":
        limit = int(job.spec["resources"]["timeout_seconds"])
        return Advice(
            "Give it more time, or look for what it waited for at the end of its log.",
            f"Rerun with {duration_text(limit * 2)}",
            {"timeout_seconds": str(limit * 2)},
        )
    if job.reason == "queue_timeout":
        return Advice("Ask for less, or let it wait longer.")
    text = _TEXTS.get(job.reason)
    return Advice(text) if text else None
