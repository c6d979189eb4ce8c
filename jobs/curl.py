"""A job as a line for a shell, which submits the same again. Pure.

Secrets are not in it: their names are, with a value that says so.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any

from jobs.spec import JobSpec, in_order

FILL_IN = "FILL-IN"
_DEFAULTS = {
    name: field.get_default(call_default_factory=True)
    for name, field in JobSpec.model_fields.items()
    if not field.is_required()
}


def request_body(stored: object) -> dict[str, Any]:
    """What to send to submit the stored spec again: what differs from the defaults, and each
    secret's name with FILL_IN."""
    spec = in_order(stored)
    body = {
        name: value
        for name, value in spec.items()
        if name in JobSpec.model_fields and value != _plain(_DEFAULTS.get(name))
    }
    secrets = dict.fromkeys(spec.get("secret_env_names") or (), FILL_IN)
    return body | ({"secret_env": secrets} if secrets else {})


def curl_command(stored: object, url: str) -> str:
    """The command, with the token in $GANTRY_TOKEN."""
    body = json.dumps(request_body(stored), ensure_ascii=False)
    return " ".join(
        [
            "curl",
            shlex.quote(url),
            '-H "Authorization: Bearer $GANTRY_TOKEN"',
            "--json",
            shlex.quote(body),
        ]
    )


def _plain(value: Any) -> Any:
    """A default as JSON has it."""
    if hasattr(value, "model_dump"):
        return value.model_dump()
    return dict(value) if isinstance(value, Mapping) else value
