"""What live attempts hold on one provider. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Held:
    """Thousandths of a core, MiB, GPUs, and how many attempts hold them."""

    cpu_millis: int = 0
    memory_mb: int = 0
    gpus: int = 0
    attempts: int = 0
