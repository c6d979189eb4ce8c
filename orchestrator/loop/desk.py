"""The desk: hands placed attempts, cancels and requests to the hosts, and does the small
database work that hosts ask for. One thread, one connection, for any number of providers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Mapping, Set
from dataclasses import replace

from orchestrator.loop.crash_points import crash_point
from orchestrator.loop.host import ProviderHost
from orchestrator.loop.service import Service, logger, monotonic
from orchestrator.store import Site, Store, StoreDown, Word
from providers.leases import Fence

EDITS_SECONDS = 5.0


class Desk(Service):
    """Reads what it was told of at once, and everything each second, because a NOTIFY may
    be lost."""

    name = "desk"
    interval = 1.0

    def __init__(
        self,
        store: Store,
        make_host: Callable[[Fence], ProviderHost | None],
        retake: Callable[[Fence], None],
    ) -> None:
        super().__init__()
        self._store = store
        self._make_host = make_host
        self._retake = retake
        self._hosts: dict[int, ProviderHost] = {}
        self._guard = threading.Lock()
        self._leases: dict[str, Fence] = {}
        self._work: dict[Hashable, Callable[[Store], None]] = {}
        self._asked: set[int] = set()
        self._edited = threading.Event()
        self._sites_read_at = monotonic()
        self._told: set[Word] = set()
        self._all_due_at = 0.0

    def look(self, word: Word) -> None:
        """There is something new of this kind; any thread."""
        with self._guard:
            self._told.add(word)
        self.wake()

    def post(self, work: Callable[[Store], None], about: Hashable = None) -> None:
        """Have this done in the desk's thread; lost on exit, so only for what is found again.
        It takes the place of what still waits `about` the same: of a database that is away
        for long, only the last word on each thing is kept."""
        with self._guard:
            about = about if about is not None else object()
            self._work.pop(about, None)  # an old look must not undo a new one
            self._work[about] = work
        self.wake()

    def gained(self, fence: Fence) -> None:
        """A provider's lease was taken: build its host and adopt what is live there."""
        if fence.name.startswith("provider:"):
            with self._guard:
                self._leases[fence.name] = fence
            self.post(lambda store: self._open(store, fence), about=fence)

    def lost(self, fence: Fence) -> None:
        """A provider's lease is gone: let go at once, from the keeper's thread."""
        with self._guard:
            self._leases.pop(fence.name, None)
        for host in self._list():
            if host.fence.name == fence.name:
                self._forget(host)

    def run_once(self) -> bool:
        self._do_work()
        self._reopen_edited()
        hosts = {host.site.id: host for host in self._list()}
        if hosts:
            try:
                self._read(self._take_due(hosts), hosts)
            except StoreDown:
                self._all_due_at = 0.0
                raise
        return False

    def next_wait(self) -> float:
        if not self._list():
            return self.interval  # nothing to read for: a process that drives no provider rests
        return max(0.0, min(self._all_due_at - monotonic(), self.interval))

    def _take_due(self, hosts: Mapping[int, ProviderHost]) -> Set[Word]:
        """What is to be read in this round."""
        with self._guard:
            due, self._told = self._told, set()
        if monotonic() >= self._all_due_at:
            self._all_due_at = monotonic() + self.interval
            for host in hosts.values():
                host.tick()
            due |= self._store.news(hosts)
        return frozenset(due)

    def _read(self, due: Set[Word], hosts: Mapping[int, ProviderHost]) -> None:
        if "placed" in due:
            known = [attempt for host in hosts.values() for attempt in host.unmoved()]
            for order in self._store.placed(hosts, known):
                hosts[order.provider].take([order])
        if "cancel" in due:
            for wish in self._store.cancels(hosts):
                for host in hosts.values():
                    host.cancel(wish)
        if "requests" in due:
            waiting = self._store.requests(hosts)
            for request in waiting:
                if request.id not in self._asked:
                    hosts[request.provider].answer(request)
            self._asked = {request.id for request in waiting}

    def finish(self) -> None:
        self._do_work()

    def close_hosts(self, timeout: float) -> None:
        """Let all providers go, leaving what runs running."""
        hosts = self._list()
        for host in hosts:
            host.close()
        deadline = monotonic() + timeout
        for host in hosts:
            host.join(max(0.1, deadline - monotonic()))

    def _list(self) -> list[ProviderHost]:
        with self._guard:
            return list(self._hosts.values())

    def _open(self, store: Store, fence: Fence) -> None:
        """Drive a provider, as long as its lease is held; without a driver, later."""
        if any(host.fence == fence for host in self._list()):
            return
        host = self._make_host(fence)
        if host is None:
            return
        with self._guard:
            held = self._leases.get(fence.name) == fence
            before = self._hosts.get(host.site.id)
            if held:
                self._hosts[host.site.id] = host
        if not held:  # nor is the one before it, if there is one, of an older lease
            host.close()
            return
        if before is not None:
            before.close()
        crash_point("before_adopt")
        try:
            host.adopt(store.live(host.site.id))
        except StoreDown:
            self._forget(host)  # made again when the database answers
            raise
        self._all_due_at = 0.0

    def _reopen_edited(self) -> None:
        """An operator edited a provider: it is taken over anew, with a host that is built
        around what runs. No waiting for the host that is left, whose engine may hang: under
        the new term it writes nothing any more. Looked at when told, and now and then, because
        the notice may be lost; then a provider for which no driver could be made is tried
        again, too."""
        if not self._edited.is_set() and monotonic() < self._sites_read_at + EDITS_SECONDS:
            return
        self._edited.clear()
        try:
            sites = {site.id: site for site in self._store.sites()}
        except StoreDown:
            self._edited.set()
            raise
        self._sites_read_at = monotonic()
        for host in self._list():
            site = sites.get(host.site.id)
            if site is not None and _as_run(site) != _as_run(host.site):
                logger.info("provider %s was edited", site.name)
                self._retake(host.fence)
        driven = {host.fence for host in self._list()}
        with self._guard:
            waiting = [fence for fence in self._leases.values() if fence not in driven]
        for fence in waiting:
            self.post(lambda store, fence=fence: self._open(store, fence), about=fence)  # type: ignore[misc]
        self._do_work()

    def edited(self) -> None:
        """Some provider may have been edited; any thread."""
        self._edited.set()
        self.wake()

    def _forget(self, host: ProviderHost) -> None:
        with self._guard:
            if self._hosts.get(host.site.id) is host:
                del self._hosts[host.site.id]
        host.close()

    def _do_work(self) -> None:
        while True:
            with self._guard:
                about = next(iter(self._work), None)
                if about is None:
                    return
                work = self._work[about]
            try:
                work(self._store)
            except StoreDown:
                raise  # it stays the first in turn
            except Exception:
                # One provider's trouble must not end the work of all the others.
                logger.exception("desk: a piece of work failed")
            with self._guard:
                if self._work.get(about) is work:
                    del self._work[about]


def _as_run(site: Site) -> Site:
    """What of a provider matters to its host: all but the number of its revision."""
    return replace(site, rev=0)
