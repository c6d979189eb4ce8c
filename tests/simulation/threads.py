"""`threading` and `concurrent.futures` over fibers, as far as the loop uses them.

Fibers switch only where they wait. `fine` makes the taking of a lock such a place too, as
other threads may come between any two real instructions.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta, tzinfo
from types import SimpleNamespace
from typing import Any, Self

from greenlet import GreenletExit, getcurrent

from tests.simulation.fibers import Fiber, Fibers, Group

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
FINE_CHANCE = 0.15


class Threads:
    """The primitives, bound to one world. `fine`: locks are places to be overtaken at."""

    def __init__(self, fibers: Fibers, *, fine: bool) -> None:
        self.fibers = fibers
        self.fine = fine
        self.failures: list[str] = []
        """What escaped from a thread: a mistake of the loop's."""
        self.module = SimpleNamespace(
            Event=lambda: Event(self),
            Lock=lambda: Lock(self),
            RLock=lambda: Lock(self),
            Condition=lambda: Condition(self),
            Semaphore=lambda value=1: Semaphore(self, value),
            Thread=lambda **kwargs: Thread(self, **kwargs),
            current_thread=getcurrent,
        )

    def monotonic(self) -> float:
        """Seconds on the virtual clock, the same for all processes."""
        return self.fibers.now

    def future(self) -> Future:
        """A `concurrent.futures.Future`."""
        return Future(self)

    def pool(self, workers: int, thread_name_prefix: str = "") -> Pool:
        """A `ThreadPoolExecutor`."""
        return Pool(self, workers, thread_name_prefix)

    def spawn(self, work: Callable[[], None], name: str) -> Fiber:
        """A thread of the process whose thread asks."""
        return self.spawn_in(getcurrent().group, work, name)

    def spawn_in(self, group: Group, work: Callable[[], None], name: str) -> Fiber:
        """A thread of that process."""

        def guarded() -> None:
            try:
                work()
            except GreenletExit:
                raise
            except BaseException as error:
                self.failures.append(f"{name}: {type(error).__name__}: {error}")

        return self.fibers.spawn(group, guarded, name)

    def overtaken(self) -> None:
        """Perhaps let somebody else go first."""
        fibers = self.fibers
        if fibers.inside() and not fibers.closing and fibers.random() < FINE_CHANCE:
            fibers.wait(0.0)

    def utc_now(self) -> datetime:
        """Wall clock time of the process that asks."""
        return EPOCH + timedelta(seconds=self.fibers.now)


class _Waiters:
    """Those who wait for one thing."""

    __slots__ = ("_threads", "_waiting")

    def __init__(self, threads: Threads) -> None:
        self._threads = threads
        self._waiting: list[Fiber] = []

    def _wait(self, timeout: float | None) -> bool:
        fibers = self._threads.fibers
        if fibers.closing:
            raise GreenletExit
        fiber = getcurrent()
        self._waiting.append(fiber)
        woken = fibers.wait(timeout if timeout is None else max(0.0, timeout))
        if not woken:
            self._waiting.remove(fiber)
        return woken

    def _wake_all(self) -> None:
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            for fiber in waiting:
                self._threads.fibers.wake(fiber)


class Event(_Waiters):
    """threading.Event"""

    __slots__ = ("_set",)

    def __init__(self, threads: Threads) -> None:
        super().__init__(threads)
        self._set = False

    def is_set(self) -> bool:
        return self._set

    def set(self) -> None:
        self._set = True
        self._wake_all()

    def clear(self) -> None:
        self._set = False

    def wait(self, timeout: float | None = None) -> bool:
        if not self._set:
            self._wait(timeout)
        return self._set


class Lock(_Waiters):
    """threading.Lock and RLock: its holder may take it again, which only RLock permits; that
    a plain lock is not taken twice is not looked at."""

    __slots__ = ("_depth", "_holder")

    def __init__(self, threads: Threads) -> None:
        super().__init__(threads)
        self._holder: object = None
        self._depth = 0

    def __enter__(self) -> Self:
        if self._threads.fine:
            self._threads.overtaken()
        me = getcurrent()
        if self._holder is not me:
            while self._holder is not None:
                self._wait(None)
            self._holder = me
        self._depth += 1
        return self

    def __exit__(self, *args: object) -> None:
        self._depth -= 1
        if not self._depth:
            self._holder = None
            self._wake_all()


class Condition:
    """threading.Condition, over a lock of its own."""

    __slots__ = ("_lock", "_told")

    def __init__(self, threads: Threads) -> None:
        self._lock = Lock(threads)
        self._told = _Waiters(threads)

    def __enter__(self) -> Lock:
        return self._lock.__enter__()

    def __exit__(self, *args: object) -> None:
        self._lock.__exit__()

    def wait(self, timeout: float | None = None) -> bool:
        assert self._lock._depth == 1, "a wait inside a lock taken twice"
        self._lock.__exit__()
        woken = self._told._wait(timeout)
        self._lock.__enter__()
        return woken

    def notify_all(self) -> None:
        self._told._wake_all()


class Semaphore(_Waiters):
    """threading.Semaphore"""

    __slots__ = ("_value",)

    def __init__(self, threads: Threads, value: int) -> None:
        super().__init__(threads)
        self._value = value

    def __enter__(self) -> None:
        while self._value <= 0:
            self._wait(None)
        self._value -= 1

    def __exit__(self, *args: object) -> None:
        self._value += 1
        self._wake_all()


class Future(_Waiters):
    """concurrent.futures.Future"""

    __slots__ = ("_done", "_error", "_result")

    def __init__(self, threads: Threads) -> None:
        super().__init__(threads)
        self._done = False
        self._result: Any = None
        self._error: BaseException | None = None

    @classmethod
    def __class_getitem__(cls, item: object) -> type[Future]:
        return cls

    def done(self) -> bool:
        return self._done

    def set_result(self, result: Any) -> None:
        assert not self._done, "a future has one answer"
        self._done, self._result = True, result
        self._wake_all()

    def set_exception(self, error: BaseException) -> None:
        assert not self._done, "a future has one answer"
        self._done, self._error = True, error
        self._wake_all()

    def result(self, timeout: float | None = None) -> Any:
        if not self._done and not self._wait(timeout):
            raise TimeoutError
        if self._error is not None:
            raise self._error
        return self._result


class Thread:
    """threading.Thread"""

    def __init__(
        self,
        threads: Threads,
        target: Callable[..., None],
        args: Iterable[Any] = (),
        name: str = "thread",
        daemon: bool = True,
    ) -> None:
        self._threads = threads
        self._work = lambda: target(*args)
        self.name = name
        self._fiber: Fiber | None = None

    def start(self) -> None:
        self._fiber = self._threads.spawn(self._work, self.name)

    def is_alive(self) -> bool:
        return self._fiber is not None and not self._fiber.dead

    def join(self, timeout: float | None = None) -> None:
        if self._fiber is not None and not self._fiber.dead:
            self._fiber.ended.append(getcurrent())
            self._threads.fibers.wait(timeout)


class Pool:
    """concurrent.futures.ThreadPoolExecutor: a thread for each piece of work, so many at once."""

    def __init__(self, threads: Threads, workers: int, name: str) -> None:
        self._threads = threads
        self._free = workers
        self._name = name
        self._queue: deque[Callable[[], None]] = deque()
        self._shut = False

    def submit(self, work: Callable[..., None], *args: Any) -> None:
        if self._shut:
            raise RuntimeError("cannot schedule new futures after shutdown")
        self._queue.append(lambda: work(*args))
        if self._free:
            self._free -= 1
            self._threads.spawn(self._work, self._name)

    def _work(self) -> None:
        while self._queue:
            self._queue.popleft()()
        self._free += 1

    def shutdown(self, wait: bool = True, cancel_futures: bool = False) -> None:
        self._shut = True
        if cancel_futures:
            self._queue.clear()


class Clock(datetime):
    """`datetime` whose present is the virtual clock's; `substitution` binds it to a world."""

    threads: Threads

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        return cls.threads.utc_now()
