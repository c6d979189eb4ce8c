"""`python -m benchmarks.namespaces`: what prepared network namespaces would save, and leave.

A prototype, not part of Gantry. Most of a container's start is the making of its network
namespace; one that joins another container's (`network_mode=container:…`) need not wait for it.
Four ways to run the same container are measured in turn:

- `own`: a namespace of its own on the bridge, as the driver makes it;
- `none`: no network at all;
- `reused`: it joins a namespace that one job after the other uses;
- `once`: it joins one that was made ahead by a thread beside, and is thrown away after it.

Then a job leaves what it can in a reused namespace, and the next one looks for it.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from docker import APIClient

from benchmarks.bare import moment
from benchmarks.container import BARE, bare_body
from benchmarks.intervals import estimate
from providers.driver import LABEL_INSTANCE

WAYS = ("own", "none", "reused", "once")
CONCURRENCIES = (1, 4, 8)


class Engine:
    """One thread's client, and the namespaces it has made ahead."""

    def __init__(self) -> None:
        self.client: Any = APIClient(version="auto", timeout=120)
        self._beside: Any = APIClient(version="auto", timeout=120)
        self._thread = ThreadPoolExecutor(1)
        self._ready: deque[Future[str]] = deque()

    def prepare(self, many: int) -> None:
        """Begin to make namespaces, each in a container that only sleeps."""
        for _ in range(many):
            self._ready.append(self._thread.submit(self._holder))

    def _holder(self) -> str:
        body = bare_body() | {"Entrypoint": ["sleep", "86400"]}
        holder = str(self._beside.create_container_from_config(body)["Id"])
        self._beside.start(holder)
        return holder

    @contextmanager
    def network(self, way: str) -> Iterator[str | None]:
        """The network of one container; None: as the driver has it."""
        if way in ("own", "none"):
            yield None if way == "own" else "none"
            return
        holder = self._ready.popleft()
        yield f"container:{holder.result()}"
        if way == "reused":
            self._ready.append(holder)
        else:
            self.prepare(1)
            self._thread.submit(self._beside.remove_container, holder.result(), force=True)

    def run(self, way: str, command: list[str]) -> tuple[float, str]:
        """Run it; the seconds from the call of create to its start, and what it printed."""
        with self.network(way) as network:
            body = bare_body() | {"Entrypoint": command}
            if network is not None:
                body["HostConfig"] |= {"NetworkMode": network}
            begun = time.time()
            container = self.client.create_container_from_config(body)["Id"]
            self.client.start(container)
            code = self.client.wait(container)["StatusCode"]
            started = self.client.inspect_container(container)["State"]["StartedAt"]
            text = self.client.logs(container).decode(errors="replace")
            self.client.remove_container(container)
            assert code == 0, text
            return moment(started) - begun, text

    def settle(self) -> None:
        """Wait until what goes on beside is done, so that the next way does not pay for it."""
        self._thread.submit(lambda: None).result()

    def close(self) -> None:
        """Remove what is left."""
        self._thread.shutdown()
        filters = {"label": f"{LABEL_INSTANCE}={BARE}"}
        for left in self.client.containers(all=True, filters=filters):
            self.client.remove_container(left["Id"], force=True)


def rate(engines: list[Engine], way: str, each: int) -> tuple[float, float]:
    """Containers per second, all that goes on beside included, and the mean start in ms."""

    def work(engine: Engine) -> list[float]:
        return [engine.run(way, ["true"])[0] for _ in range(each)]

    begun = time.perf_counter()
    with ThreadPoolExecutor(len(engines)) as threads:
        starts = [start for found in threads.map(work, engines) for start in found]
    for engine in engines:
        engine.settle()
    seconds = time.perf_counter() - begun
    return len(starts) / seconds, 1000 * sum(starts) / len(starts)


LEAVES = (
    "echo 203.0.113.7 registry >> /etc/hosts; echo nameserver 203.0.113.9 > /etc/resolv.conf;"
    " (echo hi | timeout 2 nc -l -p 7001 >/dev/null) & sleep 0.3;"
    " timeout 2 nc 127.0.0.1 7001 </dev/null >/dev/null; wait; echo left"
)
LOOKS: dict[str, tuple[str, Callable[[str], bool]]] = {
    "a name in /etc/hosts": ("cat /etc/hosts", lambda text: "registry" in text),
    "another resolver": ("cat /etc/resolv.conf", lambda text: "203.0.113.9" in text),
    "ended connections": ("cat /proc/net/tcp", lambda text: "1B59" in text),  # port 7001
    "counted packets": (
        "grep lo: /proc/net/dev",
        lambda text: int(text.split(":")[1].split()[0]) > 0,
    ),
}


def remains(engine: Engine) -> dict[str, bool]:
    """What the job after it finds of one that left all that it could."""
    engine.prepare(1)
    engine.run("reused", ["sh", "-c", LEAVES])
    return {
        what: found(engine.run("reused", ["sh", "-c", look])[1])
        for what, (look, found) in LOOKS.items()
    }


def main() -> int:
    """Prints what was found; there is no goal."""
    asked = _arguments()
    for many in CONCURRENCIES:
        engines = [Engine() for _ in range(many)]
        try:
            for engine in engines:
                engine.prepare(asked.ahead)
                engine.settle()
            found: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
            for number in range(asked.rounds + 1):
                for way in WAYS:
                    one = rate(engines, way, asked.each)
                    if number:  # the first round only warms up
                        found[way].append(one)
        finally:
            for engine in engines:
                engine.close()
        print(f"{many} at once, {asked.rounds} rounds of {many * asked.each} containers")
        for way in WAYS:
            rates = estimate([r for r, _ in found[way]])
            pairs = zip(found[way], found["own"], strict=True)
            ratio = estimate([ours / own for (ours, _), (own, _) in pairs])
            start = estimate([ms for _, ms in found[way]])
            print(f"  {way:7} {rates.told()}/s, ÷ own {ratio.told()}, start {start.value:.0f} ms",
                  flush=True)  # fmt: skip
    engine = Engine()
    try:
        for what, there in remains(engine).items():
            print(f"  the next job finds {what}: {'yes' if there else 'no'}")
    finally:
        engine.close()
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.namespaces", description=__doc__)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--each", type=int, default=4, help="containers per thread and round")
    parser.add_argument("--ahead", type=int, default=2, help="namespaces made ahead per thread")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
