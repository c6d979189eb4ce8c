"""Measuring what the running attempts of one provider use: a few at a time, never in anyone's way.

An attempt is measured while its output is followed (`LogSink.following`). Its readings go with
the next logs, or are lost: nothing waits for them. An engine that hangs holds up the few threads
here, each until the driver's own deadline, and nothing else.
"""

from __future__ import annotations

import threading
from functools import partial
from weakref import WeakValueDictionary

from jobs.stat_pages import Reading
from jobs.stat_store import Measured
from orchestrator.loop.log_writer import LogSink, LogWriter
from orchestrator.loop.service import logger, monotonic
from orchestrator.loop.side_threads import SideThreads
from providers.driver import Driver, DriverError, Handle, StatsSample, SupportsStats

EVERY_SECONDS = 5.0
FIRST_SECONDS = 1.0
"""A program that is over sooner is not measured: most of them would cost more than they tell."""
THREADS = 4
HALF_A_TICK = 0.5
_FULL_DETAIL_SECONDS = 3600.0
_WIDEST = 16


class StatsSampler:
    """One provider's; a driver without the ability is never asked."""

    def __init__(self, name: str, driver: Driver, logs: LogWriter) -> None:
        self._driver = driver if isinstance(driver, SupportsStats) else None
        if not driver.capabilities.stats:
            self._driver = None
        self._logs = logs
        self._guard = threading.Lock()
        self._sinks: WeakValueDictionary[int, LogSink] = WeakValueDictionary()
        self._subjects: dict[int, _Subject] = {}
        self._threads = SideThreads(THREADS, f"gantry-stats-{name}")

    def watch(self, sink: LogSink) -> LogSink:
        """Measure this attempt from now on, whenever it runs, until it is let go."""
        if self._driver is not None:
            with self._guard:
                self._sinks[sink.attempt] = sink
        return sink

    def tick(self) -> None:
        """Begin what is due; returns at once. Called about each second, by one thread."""
        driver, now = self._driver, monotonic()
        if driver is None:
            return
        with self._guard:
            sinks = [sink for sink in self._sinks.values() if sink.following is not None]
        self._subjects = {sink.attempt: self._subject(sink, now) for sink in sinks}
        for subject in self._subjects.values():
            handle = subject.sink.following
            if handle is not None and subject.is_due(now):
                subject.ask(now)
                self._threads.begin(partial(self._measure, driver, subject, handle))

    def close(self) -> None:
        """Begin nothing more; what is under way ends by its own deadline."""
        self._driver = None
        self._threads.close()

    def join(self) -> None:
        """Wait until nothing of it uses the driver any more."""
        self._threads.join()

    def _subject(self, sink: LogSink, now: float) -> _Subject:
        known = self._subjects.get(sink.attempt)
        return known if known is not None and known.sink is sink else _Subject(sink, now)

    def _measure(self, driver: SupportsStats, subject: _Subject, handle: Handle) -> None:
        sample = None
        try:
            sample = driver.stats(handle)
        except DriverError as error:
            logger.debug("attempt %d was not measured: %s", subject.sink.attempt, error)
        except Exception:
            logger.exception("attempt %d cannot be measured", subject.sink.attempt)
        finally:
            reading = subject.take(sample, monotonic())
        if reading is not None:
            sink = subject.sink
            self._logs.take_reading(Measured(sink.attempt, sink.fence, reading))


class _Subject:
    """An attempt that is measured: when next, and what its last samples have come to."""

    def __init__(self, sink: LogSink, now: float) -> None:
        self.sink = sink
        self.asked = False
        self._began = now
        self._due = now + FIRST_SECONDS
        self._kept_at = now - EVERY_SECONDS
        self._samples: list[StatsSample] = []

    def is_due(self, now: float) -> bool:
        """True when it is to be asked now; never twice at once."""
        return not self.asked and now >= self._due

    def ask(self, now: float) -> None:
        """It is asked now. Ticks come each second or so: half of one is no reason to wait."""
        self.asked, self._due = True, now + EVERY_SECONDS - HALF_A_TICK

    def take(self, sample: StatsSample | None, now: float) -> Reading | None:
        """Take a sample in; the reading that is to be kept, when it is time for one."""
        self._due, self.asked = max(self._due, now + FIRST_SECONDS), False
        if sample is None:
            return None
        self._samples.append(sample)
        if now < self._kept_at + step_seconds(now - self._began) - 2 * HALF_A_TICK:
            return None
        samples, self._samples, self._kept_at = self._samples, [], now
        return Reading(
            samples[-1].at,
            round(1000 * sum(s.cpu_cores for s in samples) / len(samples)),
            max(s.memory_bytes for s in samples),
        )


def step_seconds(measured_for: float) -> float:
    """How far apart readings are kept: 5 s in the first hour, twice as far with each time that
    the run doubles, at most 80 s. So a day has about 2,000, and a week no ten times as many."""
    factor = 1
    while measured_for >= _FULL_DETAIL_SECONDS * factor and factor < _WIDEST:
        factor *= 2
    return EVERY_SECONDS * factor
