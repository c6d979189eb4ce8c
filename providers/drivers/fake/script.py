"""The words that script a fake run: `entrypoint + args`, each `key=value`.

docs/fake-driver.md is the list for people. A word nobody knows is an error, so that a
real command sent to a fake provider fails loudly instead of "succeeding".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from urllib.parse import unquote_to_bytes

from providers.driver import Rejected, Stream

SECOND = 1_000_000_000
MAX_LINE_BYTES = 1024 * 1024

CALLS = ("create", "start", "observe", "logs", "stop", "remove")
"""The calls that `fault=` and `delay=` may name."""

FAULTS = ("unreachable", "lost", "rejected", "could_not_start", "no_capacity", "cut")
"""`lost` takes effect and then loses its answer; `cut` (logs only) breaks after one batch."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One call going wrong: how, and for how many calls (None: every one)."""

    kind: str
    times: int | None


@dataclass(frozen=True, slots=True)
class Script:
    """What a fake run does. Durations are nanoseconds."""

    duration_ns: int = 0
    exit_code: int = 0
    oom: bool = False
    lines: int = 0
    stderr_lines: int = 0
    line_bytes: int = 0
    prints: tuple[tuple[Stream, bytes], ...] = ()
    term_after_ns: int | None = 0
    """How long after SIGTERM it ends; None when it ignores the signal."""
    term_exit: int = 143
    term_out: bytes = b""
    faults: Mapping[str, Fault] = field(default_factory=dict)
    delays: Mapping[str, int] = field(default_factory=dict)


@lru_cache(maxsize=4096)
def parse(words: tuple[str, ...]) -> Script:
    """The script of these words. Raises Rejected, naming the word, when one is not known."""
    values: dict[str, object] = {}
    prints: list[tuple[Stream, bytes]] = []
    faults: dict[str, Fault] = {}
    delays: dict[str, int] = {}
    for word in words:
        key, equals, value = word.partition("=")
        try:
            if not equals:
                raise ValueError("needs key=value")
            if key in ("out", "err"):
                stream = Stream.STDOUT if key == "out" else Stream.STDERR
                prints.append((stream, unquote_to_bytes(value)))
            elif key == "fault":
                call, fault = _fault(value)
                faults[call] = fault
            elif key == "delay":
                call, _, seconds = value.partition(":")
                delays[_call(call)] = _duration(seconds)
            elif key in READERS:
                name, read = READERS[key]
                values[name] = read(value)
            else:
                raise ValueError("no such word; docs/fake-driver.md lists them")
        except ValueError as error:
            raise Rejected("rejected", f"fake script: {word!r}: {error}") from None
    return Script(
        **values,  # type: ignore[arg-type]  # READERS pairs each field with its own reader
        prints=tuple(prints),
        faults=MappingProxyType(faults),
        delays=MappingProxyType(delays),
    )


def _duration(value: str) -> int:
    seconds = float(value)
    if not 0 <= seconds <= 10 * 365 * 86_400:
        raise ValueError("wants seconds from 0 to ten years")
    return round(seconds * SECOND)


def _whole(least: int, most: int) -> Callable[[str], int]:
    def read(value: str) -> int:
        number = int(value)
        if not least <= number <= most:
            raise ValueError(f"wants a whole number from {least} to {most}")
        return number

    return read


def _term(value: str) -> int | None:
    if value == "ignore":
        return None
    return 0 if value == "die" else _duration(value)


def _call(name: str) -> str:
    if name not in CALLS:
        raise ValueError(f"wants one of {', '.join(CALLS)}")
    return name


def _fault(value: str) -> tuple[str, Fault]:
    call, _, rest = value.partition(":")
    kind, _, times = rest.partition(":")
    if kind not in FAULTS or (kind == "cut" and call != "logs"):
        raise ValueError(f"wants call:kind[:times], kind one of {', '.join(FAULTS)}")
    return _call(call), Fault(kind, _whole(1, 1_000_000)(times) if times else None)


READERS: Mapping[str, tuple[str, Callable[[str], object]]] = {
    "duration": ("duration_ns", _duration),
    "exit": ("exit_code", _whole(0, 255)),
    "oom": ("oom", lambda value: bool(_whole(0, 1)(value))),
    "lines": ("lines", _whole(0, 1_000_000_000)),
    "stderr": ("stderr_lines", _whole(0, 1_000_000_000)),
    "bytes": ("line_bytes", _whole(1, MAX_LINE_BYTES)),
    "term": ("term_after_ns", _term),
    "term_exit": ("term_exit", _whole(0, 255)),
    "term_out": ("term_out", unquote_to_bytes),
}
