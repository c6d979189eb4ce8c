"""One rendering for all who would be given the same, and for nobody else."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from queue import Queue
from threading import Event, Thread

import pytest

from projects import shared_rendering
from projects.actor import Actor
from projects.models import ActorKind, Role
from projects.shared_rendering import (
    APART_SECONDS,
    SHARED_SECONDS,
    SharedRenderings,
    anybody,
)


class Clock:
    """Time that passes when somebody waits, or a test says so."""

    def __init__(self) -> None:
        self.now = 100.0
        self.waits: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of shared renderings."""
    clock = Clock()
    monkeypatch.setattr(shared_rendering, "clock", lambda: clock.now)
    monkeypatch.setattr(shared_rendering, "sleep", clock.sleep)
    return clock


class Listed:
    """A list with a revision, and how often it was made."""

    def __init__(self) -> None:
        self.renderings = SharedRenderings()
        self.revision = 1
        self.made = 0

    def mark(self) -> str:
        return f"r{self.revision}"

    def make(self) -> str:
        self.made += 1
        return f"rows of r{self.revision}"

    def get(self, made_for: str = "viewers") -> str:
        return self.renderings.get(made_for, self.mark, self.make)

    def get_at_once(self) -> str:
        return self.renderings.get_at_once("viewers", self.mark(), self.make)


@pytest.fixture
def listed() -> Listed:
    return Listed()


def test_who_comes_while_one_is_made_waits_for_it() -> None:
    renderings, begun, go_on = SharedRenderings(), Event(), Event()
    made: list[str] = []

    def make() -> str:
        begun.set()
        assert go_on.wait(10)
        made.append("rows")
        return "rows"

    def get() -> str:
        return renderings.get("viewers", lambda: "r1", make)

    with ThreadPoolExecutor(4) as threads:
        first = threads.submit(get)
        assert begun.wait(10)
        others = [threads.submit(get) for _ in range(3)]
        go_on.set()
        assert {one.result(10) for one in (first, *others)} == {"rows"}
    assert made == ["rows"]


def test_who_comes_with_a_newer_mark_is_never_given_what_is_older(
    time: Clock, listed: Listed
) -> None:
    for revision in range(1, 6):
        listed.revision = revision
        assert listed.get() == f"rows of r{revision}"


def test_what_is_heard_of_while_one_is_made_is_made_again() -> None:
    renderings, begun, go_on = SharedRenderings(), Event(), Event()
    revision = [1]

    def slow() -> str:
        read = revision[0]
        begun.set()
        assert go_on.wait(10)
        return f"rows of r{read}"

    def mark() -> str:
        return f"r{revision[0]}"

    with ThreadPoolExecutor(2) as threads:
        old = threads.submit(renderings.get, "viewers", mark, slow)
        assert begun.wait(10)
        revision[0] = 2
        new = threads.submit(renderings.get, "viewers", mark, slow)
        go_on.set()
        assert (old.result(10), new.result(10)) == ("rows of r1", "rows of r2")


def test_a_list_that_changes_all_the_time_is_made_four_times_a_second(
    time: Clock, listed: Listed
) -> None:
    begun = time.now
    for revision in range(8):
        listed.revision = revision
        listed.get()
    assert time.now - begun == pytest.approx(7 * APART_SECONDS)


def test_a_lone_viewer_waits_for_nobody(time: Clock, listed: Listed) -> None:
    for revision in range(3):
        listed.revision = revision
        listed.get()
        time.now += 0.5
    assert not any(time.waits)


@pytest.mark.parametrize(("later", "made"), [(0.9, 1), (1.0, 2)])
def test_a_rendering_serves_for_a_second_from_its_beginning(
    time: Clock, listed: Listed, later: float, made: int
) -> None:
    listed.get()
    time.now += later * SHARED_SECONDS
    listed.get()
    assert listed.made == made


def test_a_page_that_is_not_there_yet_waits_for_no_turn(time: Clock, listed: Listed) -> None:
    given = []
    for revision in (1, 2, 2, 3):
        listed.revision = revision
        given.append(listed.get_at_once())
    assert given == [f"rows of r{revision}" for revision in (1, 2, 2, 3)]
    assert listed.made == 3
    assert not time.waits


def test_what_was_made_for_a_page_serves_its_regions_too(time: Clock, listed: Listed) -> None:
    assert listed.get_at_once() == listed.get() == listed.get_at_once() == "rows of r1"
    assert listed.made == 1
    assert not time.waits


def test_a_page_waits_for_nobody_who_makes_the_same() -> None:
    renderings, begun, go_on = SharedRenderings(), Event(), Event()

    def slow() -> str:
        begun.set()
        assert go_on.wait(10)
        return "of another"

    with ThreadPoolExecutor(1) as threads:
        other = threads.submit(renderings.get, "viewers", lambda: "r1", slow)
        assert begun.wait(10)
        assert renderings.get_at_once("viewers", "r1", lambda: "its own") == "its own"
        go_on.set()
        assert other.result(10) == "of another"


def test_what_fails_for_a_page_is_told_and_not_kept(time: Clock) -> None:
    renderings = SharedRenderings()

    def broken() -> str:
        raise RuntimeError("no database")

    with pytest.raises(RuntimeError, match="no database"):
        renderings.get_at_once("viewers", "r1", broken)
    assert renderings.get_at_once("viewers", "r1", lambda: "mended") == "mended"


def test_others_are_given_their_own(time: Clock, listed: Listed) -> None:
    listed.get("viewers")
    listed.get("submitters")
    assert listed.made == 2


def test_a_failure_is_told_and_not_kept(time: Clock) -> None:
    renderings = SharedRenderings()

    def broken() -> str:
        raise RuntimeError("no database")

    with pytest.raises(RuntimeError, match="no database"):
        renderings.get("viewers", lambda: "r1", broken)
    assert renderings.get("viewers", lambda: "r1", lambda: "mended") == "mended"


def test_nobody_waits_for_one_that_was_never_begun(time: Clock) -> None:
    renderings, given = SharedRenderings(), Queue[str]()
    marks = iter(["r1"])

    def get() -> None:
        given.put(renderings.get("viewers", lambda: "r1", lambda: "mended"))

    with pytest.raises(StopIteration):
        renderings.get("viewers", lambda: next(marks), lambda: "rows")
    Thread(target=get, daemon=True).start()
    assert given.get(timeout=10) == "mended"


def test_nothing_of_a_person_is_left_but_their_rights() -> None:
    roles = {7: Role.VIEWER}
    ada = Actor(ActorKind.USER, 1, "ada", "web", "r-1", is_staff=True, roles=roles)
    bob = Actor(ActorKind.USER, 2, "bob", "web", "r-2", is_staff=True, roles=roles)
    assert anybody(ada) == anybody(bob)
    assert anybody(ada).roles == roles
    assert anybody(ada).is_staff
