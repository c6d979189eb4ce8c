"""One rendering for all who would be given the same.

A list that a thousand people look at changes for all of them at once, and is then fetched by
each. It is made once instead, for all whom it is made for: those who ask at the same address,
with the same rights, in the same zone. It has a mark (projects/live_marks.py), taken before it is
read: who comes while that mark stands is given it, who comes with another is given a newer one, so
nothing is older than what this process has heard of. Nobody is given what was made with other
rights, nor can there be anything of a person in it: it is made for `anybody`, without a request.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from threading import Lock

from projects.actor import Actor

SHARED_SECONDS = 1.0
"""A page tells how old things are from the moment at which it was made; the marks alone would
let it be ten seconds late."""
APART_SECONDS = 0.25
"""From one making to the next. What changes ten times a second is not made for each change, but
for all who have come meanwhile."""

clock: Callable[[], float] = time.monotonic
sleep: Callable[[float], None] = time.sleep


def anybody(actor: Actor) -> Actor:
    """Somebody with these rights: who, cannot be asked."""
    return replace(actor, id=None, name="", request_id="")


@dataclass(slots=True)
class _Rendering:
    """One making, from when it is decided on: what comes before it begins will be in it."""

    text: Future[str] = field(default_factory=Future)
    mark: str | None = None
    begun_at: float = 0.0


@dataclass(slots=True)
class _Shelf:
    """What is made for the same people: the newest that has begun, and the one that will."""

    newest: _Rendering | None = None
    coming: _Rendering | None = None


class SharedRenderings:
    """Those of the last second. Any thread."""

    def __init__(self) -> None:
        self._guard = Lock()
        self._shelves: dict[Hashable, _Shelf] = {}

    def get(
        self, made_for: Hashable, mark: Callable[[], str | None], make: Callable[[], str]
    ) -> str:
        """The rendering for all whom `made_for` names, not older than what `mark` tells now.
        What goes wrong in making it is raised to all who waited for it, and not kept."""
        wanted = mark()
        with self._guard:
            self._forget_old()
            shelf = self._shelves.setdefault(made_for, _Shelf())
            if shelf.newest is not None and shelf.newest.mark == wanted is not None:
                given, first = shelf.newest, False
            else:
                first = shelf.coming is None
                shelf.coming = given = shelf.coming or _Rendering()
        if first:
            self._make_in_turn(shelf, given, mark, make)
        return given.text.result()

    def get_at_once(self, made_for: Hashable, mark: str, make: Callable[[], str]) -> str:
        """As `get`, for who waits for nobody: what is there, if it is of this mark, or one that is
        made now and serves others too."""
        with self._guard:
            self._forget_old()
            shelf = self._shelves.setdefault(made_for, _Shelf())
            given = shelf.newest
            there = given is not None and given.mark == mark and given.text.done()
            if given is None or not there:
                shelf.newest = given = _Rendering(mark=mark, begun_at=clock())
        if not there:
            self._make(given, make)
        return given.text.result()

    def _make_in_turn(
        self,
        shelf: _Shelf,
        rendering: _Rendering,
        mark: Callable[[], str | None],
        make: Callable[[], str],
    ) -> None:
        before = shelf.newest  # one that is forgotten meanwhile was made long ago
        try:
            if before is not None:
                sleep(max(0.0, before.begun_at + APART_SECONDS - clock()))
            with self._guard:
                rendering.mark, rendering.begun_at = mark(), clock()
                shelf.newest, shelf.coming = rendering, None
        except BaseException as error:
            with self._guard:
                if shelf.coming is rendering:  # or all who come would wait for it for ever
                    shelf.coming = None
            rendering.text.set_exception(error)
            return
        self._make(rendering, make)

    def _make(self, rendering: _Rendering, make: Callable[[], str]) -> None:
        try:
            rendering.text.set_result(make())
        except BaseException as error:
            with self._guard:
                rendering.mark = None
            rendering.text.set_exception(error)

    def _forget_old(self) -> None:
        """Nothing stays longer than it may be given."""
        oldest = clock() - SHARED_SECONDS
        for made_for, shelf in list(self._shelves.items()):
            if shelf.newest is not None and shelf.newest.begun_at <= oldest:
                shelf.newest = None
            if shelf.newest is None and shelf.coming is None:
                del self._shelves[made_for]


shared = SharedRenderings()
"""Those of this process."""
