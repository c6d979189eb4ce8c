"""The fake driver keeps the contract, in memory and in files, and plays its script."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote_from_bytes

import pytest

from providers.driver import (
    Health,
    NoCapacity,
    ProviderConfig,
    PullProgress,
    RegistryUnreachable,
    Rejected,
    RunState,
    Stream,
    Unreachable,
)
from providers.drivers.fake import FakeDriver
from providers.drivers.fake.world import forget_world
from tests.contract.driver_contract import DriverContract
from tests.contract.stage import Program, Stage, read


class FakeStage(Stage):
    race_rounds = 200
    race_window_seconds = 0.001

    def __init__(self, data_dir: str) -> None:
        self.data_dir = data_dir
        self.name = f"fake-{uuid.uuid4()}"
        super().__init__()

    @property
    def config(self) -> ProviderConfig:
        return ProviderConfig(self.name, self.instance, data_dir=self.data_dir)

    def build(self, instance: str = "") -> FakeDriver:
        config = ProviderConfig(self.name, instance or self.instance, data_dir=self.data_dir)
        return FakeDriver(config)

    def script(self, *words: str) -> Program:
        return Program(words[:1], words[1:])

    def printing(
        self, *pieces: tuple[Stream, bytes], exit_code: int = 0, pause_seconds: float = 0
    ) -> Program:
        prints = [
            f"{'out' if stream is Stream.STDOUT else 'err'}={quote_from_bytes(data)}"
            for stream, data in pieces
        ]
        return self.script(f"exit={exit_code}", *prints)

    def ticking(self, lines: int, seconds: float) -> Program:
        return self.script(f"lines={lines}", f"duration={seconds}")

    def long_line(self, size: int) -> Program:
        return self.script("lines=1", f"bytes={size}")

    def sleeping(self) -> Program:
        return self.script("out=ready%0A", "duration=600")

    def ignoring_term(self) -> Program:
        return self.script("out=ready%0A", "duration=600", "term=ignore")

    def answering_term(self, text: bytes) -> Program:
        said = quote_from_bytes(text)
        return self.script(
            "out=ready%0A", "duration=600", "term=0.05", "term_exit=0", f"term_out={said}"
        )

    def missing(self) -> Program:
        return self.script("fault=start:could_not_start")

    def counted(self) -> Program:
        return self.script("duration=600")

    def times_run(self, uid: str) -> int:
        return self.build().starts(uid)


@pytest.fixture(params=["memory", "files"])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FakeStage]:
    stage = FakeStage(str(tmp_path) if request.param == "files" else "")
    yield stage
    stage.driver.set_outage("")  # type: ignore[attr-defined]
    stage.sweep()
    forget_world(stage.config)


class TestFake(DriverContract):
    """The contract, over both kinds of world."""


def driver_of(stage: FakeStage) -> FakeDriver:
    assert isinstance(stage.driver, FakeDriver)
    return stage.driver


@pytest.mark.parametrize(
    "word", ["sleep", "duration", "duration=-1", "duration=soon", "exit=256", "fault=start:oops",
             "fault=nothing:lost", "fault=start:cut", "lines=1.5", "bytes=0", "Duration=1"],
)  # fmt: skip
def test_a_word_that_is_not_known_is_refused_by_name(stage: FakeStage, word: str) -> None:
    with pytest.raises(Rejected, match="fake script") as refusal:
        stage.create(stage.script("duration=1", word))

    assert refusal.value.reason == "rejected"
    assert word in str(refusal.value)


def test_an_exited_run_that_is_started_again_runs_again_and_is_counted(stage: FakeStage) -> None:
    spec = stage.spec(stage.script("out=hi%0A"))
    handle = stage.driver.create(spec)
    stage.driver.start(handle)
    stage.ended(handle)

    stage.driver.start(handle)

    assert driver_of(stage).starts(spec.uid) == 2


def test_out_of_memory_is_told(stage: FakeStage) -> None:
    handle = stage.run(stage.script("oom=1"))

    seen = stage.driver.observe(handle)

    assert (seen.exit_code, seen.oom_killed) == (137, True)


def test_a_lost_start_has_started(stage: FakeStage) -> None:
    handle = stage.create(stage.script("duration=600", "fault=start:lost:1"))

    with pytest.raises(Unreachable):
        stage.driver.start(handle)

    assert stage.driver.observe(handle).state is RunState.RUNNING


def test_a_fault_without_effect_leaves_things_as_they_were(stage: FakeStage) -> None:
    spec = stage.spec(stage.script("duration=600", "fault=create:unreachable:2"))
    for _ in range(2):
        with pytest.raises(Unreachable):
            stage.driver.create(spec)
        assert list(stage.driver.list_owned()) == []

    handle = stage.driver.create(spec)

    assert stage.driver.observe(handle).state is RunState.CREATED


def test_a_full_provider_says_so(stage: FakeStage) -> None:
    with pytest.raises(NoCapacity):
        stage.create(stage.script("fault=create:no_capacity"))


def test_a_delayed_call_takes_longer(stage: FakeStage) -> None:
    begun = time.monotonic()
    stage.create(stage.script("delay=create:0.2"))

    assert time.monotonic() - begun >= 0.2


def test_a_cut_stream_resumes_from_its_cursor(stage: FakeStage) -> None:
    handle = stage.run(stage.script("lines=1500", "fault=logs:cut:1"))
    broken = iter(stage.driver.logs(handle, None, follow=True))
    first = next(broken)
    with pytest.raises(Unreachable, match="cut"):
        next(broken)

    rest = read(stage.driver.logs(handle, first.cursor, follow=True))

    numbers = [frame.data for frame in (*first.frames, *rest.frames)]
    assert numbers == [f"line {n} of 1500\n".encode() for n in range(1, 1501)]


def test_a_line_goes_on_over_the_end_of_a_batch(stage: FakeStage) -> None:
    handle = stage.run(stage.script(*["out=x"] * 1500, "lines=1"))
    first, *_ = stage.driver.logs(handle, None, follow=False)

    rest = read(stage.driver.logs(handle, first.cursor, follow=False)).frames

    assert (first.frames[0].starts_line, first.frames[-1].ends_line) == (True, False)
    assert len(first.frames) < 1501
    assert not any(frame.starts_line for frame in rest)
    assert rest[-1].data == b"line 1 of 1\n"


def test_an_outage_makes_every_call_unreachable_until_it_ends(stage: FakeStage) -> None:
    handle = stage.start(stage.sleeping())
    driver_of(stage).set_outage("someone pulled the plug")

    calls: list[Callable[[], object]] = [
        lambda: stage.driver.observe(handle),
        lambda: stage.driver.list_owned(),
        lambda: stage.driver.stop(handle, 0),
        lambda: stage.driver.remove(handle, force=True),
        lambda: list(stage.driver.logs(handle, None, follow=False)),
        lambda: stage.create(stage.sleeping()),
    ]
    for call in calls:
        with pytest.raises(Unreachable, match="pulled the plug"):
            call()
    assert stage.driver.probe().health is Health.UNREACHABLE

    driver_of(stage).set_outage("")
    assert stage.driver.observe(handle).state is RunState.RUNNING


@pytest.mark.parametrize(
    ("image", "error", "reason"),
    [
        ("any:not-found", Rejected, "image_not_found"),
        ("any:denied", Rejected, "image_denied"),
        ("any:registry-unreachable", RegistryUnreachable, ""),
        ("any:unreachable", Unreachable, ""),
    ],
)
def test_a_pull_fails_as_its_tag_says(
    stage: FakeStage, image: str, error: type[Exception], reason: str
) -> None:
    with pytest.raises(error) as failure:
        stage.driver.pull(image, None, lambda progress: None)

    assert getattr(failure.value, "reason", "") == reason


def test_a_pull_shows_its_progress_once(stage: FakeStage) -> None:
    seen: list[PullProgress] = []

    first = stage.driver.pull("any:pull-0.1", None, seen.append)
    assert seen[-1].done_bytes == seen[-1].total_bytes > 0
    seen.clear()

    assert stage.build().pull("any:pull-0.1", None, seen.append) == first
    assert seen == []


def test_runs_in_files_are_found_by_a_new_process(tmp_path: Path) -> None:
    stage = FakeStage(str(tmp_path))
    spec = stage.spec(stage.sleeping())
    handle = stage.driver.create(spec)
    stage.driver.start(handle)

    forget_world(stage.config)  # as if this process had died

    heir = stage.build()
    assert heir.observe(handle).state is RunState.RUNNING
    assert heir.starts(spec.uid) == 1
    stage.sweep()
