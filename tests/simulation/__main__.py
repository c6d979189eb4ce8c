"""`python -m tests.simulation --seeds N [--from S]`, or `--seed S --trace` to watch one."""

from __future__ import annotations

import argparse
import os
import sys
import time

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orchestrator.settings")

import django

django.setup()

from tests.simulation.campaign import Tally, run_in_processes  # noqa: E402
from tests.simulation.world import World  # noqa: E402


def main() -> int:
    """0 when every seed held, 1 when one broke."""
    asked = _arguments()
    if asked.seed is not None:
        return _one(asked.seed, trace=asked.trace)
    tally, begun = Tally(), time.monotonic()
    seeds = range(asked.first, asked.first + asked.seeds)
    for part in run_in_processes(seeds, asked.processes):
        tally.add(part)
        for seed, broken in part.broken.items():
            _say(f"seed {seed}: {'; '.join(broken)}")
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{tally.seeds:,} of {asked.seeds:,}")
    for line in tally.words():
        _say(line)
    _say(f"{time.monotonic() - begun:.0f} s on {asked.processes} processes")
    return 1 if tally.broken else 0


def _one(seed: int, *, trace: bool) -> int:
    world = World(seed, trace=_say if trace else None)
    if trace:
        _say(str(world.plot))
    result = world.run()
    _say("\n".join(result.broken) or f"seed {seed} holds")
    return 1 if result.broken else 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2000, help="how many to run")
    parser.add_argument("--from", type=int, default=1, dest="first", help="the first of them")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, help="run this one alone")
    parser.add_argument("--trace", action="store_true", help="say each thing that happens in it")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
