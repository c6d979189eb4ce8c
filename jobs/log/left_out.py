"""The middle of a long log, which is not kept: where it was, and how much it was. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

MIB = 2**20


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Chunks `first_seq` to `last_seq` of an attempt's log (`Attempt.log_left_out`).

    Lines are numbered as if they were there: `first_line` is the first that begins in what
    is left out, `next_line` the first that begins after it. Offsets are bytes of both
    streams before it, and before what follows it.
    """

    first_seq: int
    last_seq: int
    first_line: int
    next_line: int
    offset: int
    next_offset: int

    @classmethod
    def stored(cls, entry: Mapping[str, Any] | None) -> LeftOut | None:
        """The value of a stored entry; None where nothing is left out."""
        return cls(**entry) if entry else None

    def entry(self) -> dict[str, int]:
        """The JSON value to store."""
        return asdict(self)

    @property
    def lines(self) -> int:
        """How many lines begin in it."""
        return self.next_line - self.first_line

    @property
    def size(self) -> int:
        """Its bytes."""
        return self.next_offset - self.offset

    @property
    def words(self) -> str:
        """What is said in its place."""
        kept = "of an output this long only the beginning and the end are kept"
        return f"{self.size / MIB:,.1f} MiB left out: {kept}"

    def holds(self, seq: int) -> bool:
        """Whether that chunk is in it."""
        return self.first_seq <= seq <= self.last_seq
