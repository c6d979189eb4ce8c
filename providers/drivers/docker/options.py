"""What a provider of kind docker can be told, and its bounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from providers.driver import Rejected


@dataclass(frozen=True, slots=True)
class DockerOptions:
    """The options of one Docker provider; seconds are deadlines of a single call.

    Without `base_url` the engine is found as the docker command finds it: DOCKER_HOST,
    then the context named here or by DOCKER_CONTEXT, then the current context, then the
    local socket.
    """

    base_url: str = ""
    context: str = ""
    tls_ca: str = ""
    tls_cert: str = ""
    tls_key: str = ""
    tls_verify: bool = True
    gpus: int = 0
    query_seconds: float = 10.0
    """Calls that only ask: inspect, list, info."""
    effect_seconds: float = 120.0
    """Calls that change something: create, start, remove; stop adds its grace."""
    pull_seconds: float = 3600.0
    pull_silence_seconds: float = 120.0
    """A pull that reports nothing for so long is given up."""
    log_idle_seconds: float = 30.0
    """A followed log that is quiet for so long makes the reader look at the container."""

    @classmethod
    def parse(cls, options: Mapping[str, Any]) -> DockerOptions:
        """The typed options. Raises Rejected naming the option that is unknown or wrong."""
        known = {field.name: field for field in fields(cls)}
        values: dict[str, Any] = {}
        for name, value in options.items():
            if name not in known:
                raise Rejected("rejected", f"docker has no option {name!r}")
            values[name] = _typed(name, value, type(known[name].default))
        return cls(**values)


def _typed(name: str, value: Any, wanted: type) -> Any:
    """The value as the option's own type: text, yes/no, or a number in its bounds."""
    if wanted is float and type(value) is int:
        value = float(value)
    if type(value) is not wanted:
        raise Rejected("rejected", f"docker option {name!r} must be of type {wanted.__name__}")
    if isinstance(value, float) and not value > 0:
        raise Rejected("rejected", f"docker option {name!r} must be more than 0")
    if isinstance(value, int) and value < 0:
        raise Rejected("rejected", f"docker option {name!r} must not be negative")
    return value
