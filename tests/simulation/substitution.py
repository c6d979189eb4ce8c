"""The loop's own modules, with the simulation's threads and clock in place of the real ones.

Found by what a name stands for, not by a list: a new module of the loop, or a new use of
`threading` in an old one, is taken along by itself.
"""

from __future__ import annotations

import concurrent.futures
import datetime as real_datetime
import importlib
import pkgutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from types import ModuleType
from typing import Any

import orchestrator.loop
from orchestrator.loop import crash_points, service
from tests.simulation.threads import Clock, Threads

NOT_SIMULATED = {"process", "wake", "crash_points"}
"""What belongs to a real process: its signals, its connection for NOTIFY, its death."""


@cache
def _places() -> list[tuple[ModuleType, str, object]]:
    """Where the real things are: module, name, thing."""
    real = {
        id(thing)
        for thing in (
            threading,
            time,
            service.monotonic,
            concurrent.futures.Future,
            concurrent.futures.ThreadPoolExecutor,
            real_datetime.datetime,
            crash_points.crash_point,
        )
    }
    found = []
    for info in pkgutil.iter_modules(orchestrator.loop.__path__):
        if info.name in NOT_SIMULATED:
            continue
        module = importlib.import_module(f"orchestrator.loop.{info.name}")
        found += [
            (module, name, thing) for name, thing in vars(module).items() if id(thing) in real
        ]
    return found


@contextmanager
def substituted(threads: Threads, at_point: Callable[[str], None]) -> Iterator[None]:
    """Run the loop on these threads. `at_point` is called at each of its crash points."""
    bound: type[Clock] = Clock
    bound.threads = threads
    stand_ins: dict[int, Any] = {
        id(threading): threads.module,
        id(time): threads.module,
        id(service.monotonic): threads.monotonic,
        id(concurrent.futures.Future): threads.future,
        id(concurrent.futures.ThreadPoolExecutor): threads.pool,
        id(real_datetime.datetime): bound,
        id(crash_points.crash_point): at_point,
    }
    places = _places()
    try:
        for module, name, thing in places:
            vars(module)[name] = stand_ins[id(thing)]
        yield
    finally:
        for module, name, thing in places:
            vars(module)[name] = thing
