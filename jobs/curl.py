"""A job as what to send to submit it: the JSON body, and the line for a shell; and a list as
the line that reads it. Pure.

Secrets are not in it: their names are, with a value that says so.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any

from jobs.spec import DEFAULTS, Concurrency, JobSpec, in_order

FILL_IN = "FILL-IN"


# Objects of which only some parts may differ from their defaults, with these.
_IN_PARTS = {
    "resources": DEFAULTS["resources"],
    "retry": DEFAULTS["retry"],
    "concurrency": {
        name: field.default
        for name, field in Concurrency.model_fields.items()
        if not field.is_required()
    },
}


def request_body(stored: object) -> dict[str, Any]:
    """What to send to submit the stored spec again: what differs from the defaults, and each
    secret's name with FILL_IN."""
    spec = in_order(stored)
    body = {
        name: _short(name, value)
        for name, value in spec.items()
        if name in JobSpec.model_fields and not _is_default(name, value)
    }
    secrets = dict.fromkeys(spec.get("secret_env_names") or (), FILL_IN)
    return body | ({"secret_env": secrets} if secrets else {})


def curl_command(stored: object, url: str) -> str:
    """The command on one line, with the token in $GANTRY_TOKEN."""
    return " ".join(_words(json.dumps(request_body(stored), ensure_ascii=False), url))


def curl_lines(body: Mapping[str, Any], url: str) -> str:
    """The same to be read: a part a line, the body as it is shown."""
    address, header, option, text = _words(body_text(body), url)[1:]
    return f"curl {address} \\\n  {header} \\\n  {option} {text}"


def body_text(body: Mapping[str, Any]) -> str:
    """The body as it is shown."""
    return json.dumps(body, ensure_ascii=False, indent=2)


def _words(body: str, url: str) -> list[str]:
    header = '-H "Authorization: Bearer $GANTRY_TOKEN"'
    return ["curl", shlex.quote(url), header, "--json", shlex.quote(body)]


def _is_default(name: str, value: Any) -> bool:
    default = DEFAULTS.get(name)
    if name in _IN_PARTS and isinstance(value, Mapping):
        return not _short(name, value)
    return bool(value == default)


def _short(name: str, value: Any) -> Any:
    """Of an object in parts those that differ from their defaults; whole numbers as such."""
    if name not in _IN_PARTS or not isinstance(value, Mapping):
        return value
    usual = _IN_PARTS[name]
    return {
        key: _number(one) for key, one in value.items() if key not in usual or one != usual[key]
    }


def _number(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def curl_get(url: str) -> str:
    """The command that reads an address of the API, with the token in $GANTRY_TOKEN."""
    return f'curl {shlex.quote(url)} -H "Authorization: Bearer $GANTRY_TOKEN"'
