"""What stands in the job form's fields, and what it is in a spec: each way and back. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from jobs.conditions import show_conditions
from jobs.env_rows import EnvRow

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
TIME_UNITS = [("1", "s"), ("60", "min"), ("3600", "h"), ("86400", "d")]
MEMORY_UNITS = [("1", "MiB"), ("1024", "GiB")]
_TIMES = (_DAY, _HOUR, _MINUTE, 1)
_AS_IT_IS = ("name", "project", "image", "priority", "working_dir", "user", "network", "profile")


def counted(number: float, unit: str) -> int:
    """A number in the spec's unit; one beyond all bounds stays a number to be refused."""
    return round(min(max(number * int(unit), -1e300), 1e300))


def read_arguments(text: str) -> list[str]:
    """One argument a line, blank lines left out."""
    return [_read_argument(line) for line in text.replace("\r\n", "\n").split("\n") if line]


def show_arguments(arguments: Sequence[str]) -> str:
    """Lines that `read_arguments` reads as the same."""
    return "\n".join(map(_show_argument, arguments))


def read_labels(text: str) -> dict[str, str]:
    """One key=value a line. Raises ValueError with the line that is none."""
    labels = {}
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if line.strip() and not equals:
            raise ValueError(f"Write {line.strip()!r} as key=value.")
        if line.strip():
            labels[key.strip()] = value.strip()
    return labels


def read_codes(text: str) -> list[int]:
    """Exit codes with commas or blanks between them. Raises ValueError."""
    words = text.replace(",", " ").split()
    if not all(word.isdecimal() and len(word) < 10 for word in words):
        raise ValueError("Write whole numbers with commas between them.")
    return [int(word) for word in words]


def read_keys(text: str) -> list[str]:
    """Keys of labels with commas or blanks between them."""
    return text.replace(",", " ").split()


def in_units(amount: int, units: Sequence[int]) -> tuple[int, str]:
    """An amount in the largest unit that divides it."""
    unit = next(unit for unit in units if amount % unit == 0) if amount else units[-1]
    return amount // unit, str(unit)


def initial_of(spec: Mapping[str, Any]) -> tuple[dict[str, Any], list[EnvRow], list[EnvRow]]:
    """The form's beginning from a stored spec: values, variables, secrets (names only)."""
    resources, retry = spec["resources"], spec["retry"]
    memory, memory_unit = in_units(resources["memory_mb"], (1024, 1))
    timeout, timeout_unit = in_units(resources["timeout_seconds"], _TIMES)
    backoff, backoff_unit = in_units(retry["backoff_seconds"], _TIMES)
    patience, patience_unit = in_units(spec["queue_timeout_seconds"] or _HOUR, _TIMES)
    command, key = spec.get("command"), spec.get("concurrency") or {}
    program = "script" if spec.get("script") is not None else "argv" if command else "image"
    values = {
        **{name: spec[name] for name in _AS_IT_IS},
        "program": program,
        "script": spec.get("script") or "",
        "argv": show_arguments([*(command or []), *spec["args"]]),
        "cpu_cores": f"{resources['cpu_cores']:g}",
        "memory": memory,
        "memory_unit": memory_unit,
        "gpus": resources["gpus"],
        "timeout": timeout,
        "timeout_unit": timeout_unit,
        "max_attempts": retry["max_attempts"],
        "backoff": backoff,
        "backoff_unit": backoff_unit,
        "retry_on": [code for code in retry["on"] if isinstance(code, str)],
        "retry_codes": ", ".join(str(code) for code in retry["on"] if isinstance(code, int)),
        "provider": spec["provider"] or "",
        "requires": show_conditions(spec.get("requires") or ()),
        "queue_timeout": patience if spec["queue_timeout_seconds"] else None,
        "queue_timeout_unit": patience_unit,
        "concurrency_key": key.get("key", ""),
        "concurrency_limit": key.get("limit", 1),
        "on_overflow": key.get("on_overflow", "queue"),
        "anti_affinity": ", ".join(spec.get("anti_affinity") or ()),
        "labels": "\n".join(f"{key}={value}" for key, value in spec["labels"].items()),
    }
    env = [EnvRow(name, value) for name, value in spec["env"].items()]
    secrets = [EnvRow(name) for name in spec.get("secret_env_names", ())]
    return values, env, secrets


def _show_argument(text: str) -> str:
    """An argument on a line of its own: in double quotes where it could not be told else."""
    plain = text and not text.startswith('"') and not {"\n", "\r"} & set(text)
    return text if plain else json.dumps(text, ensure_ascii=False)


def _read_argument(line: str) -> str:
    """What `_show_argument` wrote; quotes that are no JSON string belong to the argument."""
    if line.startswith('"'):
        try:
            value = json.loads(line)
        except ValueError:
            return line
        return value if isinstance(value, str) else line
    return line
