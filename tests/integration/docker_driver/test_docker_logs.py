"""Reading what only a real engine writes: latency, silence, cut lines, full volume."""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from threading import Thread

import docker
import pytest

from providers.driver import Handle, LogBatch, LogFrame, ProviderConfig, Stream, Unreachable
from providers.drivers.docker import DockerDriver, container
from providers.drivers.docker.endpoint import find_endpoint
from providers.drivers.docker.options import DockerOptions
from tests.integration.docker_driver.place import Place, joined
from tests.support.fault_proxy import FaultProxy, Faults
from tests.support.waiting import wait_until

pytestmark = pytest.mark.docker


def test_random_bytes_on_both_streams_come_back_exactly(place: Place) -> None:
    script = """
        head -c 300000 /dev/urandom > /out; head -c 200000 /dev/urandom > /err
        echo >> /out; echo >> /err
        cat /out & cat /err >&2; wait
        sha256sum /out /err > /sums; cat /sums
    """
    handle = place.shell(script)
    place.finish(handle)
    output = place.output(handle)
    written, errors = output[:300001], place.output(handle, Stream.STDERR)
    told = re.findall(rb"([0-9a-f]{64})", output[300001:])
    assert [hashlib.sha256(data).hexdigest().encode() for data in (written, errors)] == told


@pytest.mark.parametrize("size", [16383, 16384, 16385, 32768, 2**20 + 1])
def test_lines_around_the_engines_cut_come_back_exactly(place: Place, size: int) -> None:
    script = f"head -c {size - 1} /dev/zero | tr '\\0' x; echo; echo next; printf end"
    handle = place.shell(script)
    place.finish(handle)
    frames = place.read(handle)
    assert joined(frames, Stream.STDOUT) == b"x" * (size - 1) + b"\nnext\nend"
    assert [frame.data for frame in frames if frame.starts_line][1:] == [b"next\n", b"end"]


def test_a_followed_log_has_its_last_lines_however_fast_the_program_ends(place: Place) -> None:
    for turn in range(6):
        script = f"echo first; sleep 0.3; echo second; printf 'the end {turn}'"
        handle = place.shell(script, attempt=turn + 1)
        frames = [f for batch in place.driver.logs(handle, None, follow=True) for f in batch.frames]
        assert joined(frames, Stream.STDOUT) == f"first\nsecond\nthe end {turn}".encode()


def test_a_line_is_delivered_within_milliseconds_of_its_stamp(place: Place) -> None:
    handle = place.shell("i=0; while [ $i -lt 20 ]; do i=$((i+1)); echo $i; sleep 0.05; done")
    lags: list[float] = []
    for batch in place.driver.logs(handle, None, follow=True):
        now = datetime.now(UTC).timestamp()
        lags += [now - frame.at_ns / 1e9 for frame in batch.frames]
    assert len(lags) == 20
    # The first ones were written before the reading began; the machine may be busy.
    assert sorted(lags[3:])[len(lags[3:]) // 2] < 0.05


def test_a_job_that_is_quiet_for_long_is_no_error(make_place: Callable[..., Place]) -> None:
    place = make_place(log_idle_seconds=0.1)
    handle = place.shell("echo before; sleep 1.5; echo after")
    frames = [f for batch in place.driver.logs(handle, None, follow=True) for f in batch.frames]
    assert joined(frames, Stream.STDOUT) == b"before\nafter\n"


def test_many_lines_are_read_again_from_any_batch_without_loss(place: Place) -> None:
    script = """
        i=0
        while [ $i -lt 3000 ]; do
            i=$((i+1)); echo out $i; [ $((i % 7)) = 0 ] && echo err $i >&2
        done
        head -c 300000 /dev/zero | tr '\\0' x; echo; echo last
    """
    handle = place.shell(script)
    place.finish(handle)
    whole = list(place.driver.logs(handle, None, follow=False))
    everything = [frame for batch in whole for frame in batch.frames]
    seen: list[LogFrame] = []
    assert len(whole) > 4
    for batch in whole:
        seen += batch.frames
        cursor = json.loads(json.dumps(batch.cursor))
        again = list(place.driver.logs(handle, cursor, follow=False))
        assert all(one.gap == "" for one in again)
        assert seen + [frame for one in again for frame in one.frames] == everything


def test_a_large_log_is_read_whole_in_small_batches(place: Place) -> None:
    handle = place.shell("yes 'a line of thirty-two characters' | head -c 3000000")
    place.finish(handle)
    sizes = [
        sum(len(frame.data) for frame in batch.frames)
        for batch in place.driver.logs(handle, None, follow=False)
    ]
    assert sum(sizes) == 3_000_000
    assert max(sizes) <= 2 * 64 * 1024


def test_a_follower_that_rotation_passes_says_so_and_one_that_keeps_up_loses_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(container, "LOG_FILE_BYTES", 100 * 1024)
    monkeypatch.setattr(container, "LOG_FILES", 2)
    lines = b"".join(b"line %d of a job that writes a lot\n" % n for n in range(1, 20_001))
    script = "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); echo line $i of a job that writes a lot;"
    held = place.shell(f"sleep 0.5; {script} done", attempt=1)
    stream = iter(place.driver.logs(held, None, follow=True))
    place.finish(held)  # its reader has not come to it yet
    late = list(stream)
    assert any(batch.gap for batch in late)
    got = joined([frame for batch in late for frame in batch.frames], Stream.STDOUT)
    assert len(got) < len(lines)
    assert lines.endswith(got[-2000:])

    script = script.replace("20000", "4000")
    slow = place.shell(f"{script} [ $((i % 100)) = 0 ] && sleep 0.1; done", attempt=2)
    batches = list(place.driver.logs(slow, None, follow=True))
    kept = joined([frame for batch in batches for frame in batch.frames], Stream.STDOUT)
    whole = lines[: lines.index(b"line 4001 ")]
    assert ([batch.gap for batch in batches if batch.gap], kept) == ([], whole)


def test_a_follower_that_was_held_up_in_the_middle_has_no_hole_that_is_not_told(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(container, "LOG_FILE_BYTES", 100 * 1024)
    monkeypatch.setattr(container, "LOG_FILES", 2)
    socket = find_endpoint(DockerOptions()).socket_path
    with FaultProxy(tmp_path / "docker.sock", socket) as proxy:
        through = DockerDriver(ProviderConfig("", "", {"base_url": f"unix://{proxy.address}"}))
        handle = place.shell("i=0; while :; do i=$((i+1)); echo line $i of many; done")
        said: list[LogBatch] = []

        def held_up(batch: LogBatch) -> None:
            said.append(batch)
            if len(said) == 5:
                proxy.hang()
                Thread(target=mend_later).start()

        def mend_later() -> None:
            written = last_number(place, handle)
            wait_until(lambda: last_number(place, handle) > written + 20_000, 30, "rotations")
            proxy.mend()
            place.driver.stop(handle, 0)

        for batch in through.logs(handle, None, follow=True):
            held_up(batch)
        through.close()
    gaps = [at for at, batch in enumerate(said) if batch.gap]
    assert gaps
    numbers = [
        (at, int(frame.data.split()[1]))
        for at, batch in enumerate(said)
        for frame in batch.frames
        if frame.starts_line and frame.ends_line
    ]
    holes = [at for (_, a), (at, b) in pairwise(numbers) if b != a + 1]
    assert holes
    assert set(holes) <= set(gaps)


def test_a_flood_that_has_ended_is_not_followed_again(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(container, "LOG_FILE_BYTES", 1024 * 1024)
    handle = place.shell("yes 'a line of thirty-two characters' | head -c 2000000")
    place.finish(handle)
    asked: list[bytes] = []
    with FaultProxy(tmp_path / "docker.sock", find_endpoint(DockerOptions()).socket_path) as proxy:
        through = DockerDriver(ProviderConfig("", "", {"base_url": f"unix://{proxy.address}"}))
        proxy.choose = lambda said: asked.append(said) if b"/logs?" in said else None
        batches = list(through.logs(handle, None, follow=True))
        through.close()
    frames = [frame for batch in batches for frame in batch.frames]
    assert sum(len(frame.data) for frame in frames) == 2_000_000
    assert [b"follow=1" in said for said in asked] == [True, False, False]


def test_an_answer_that_is_cut_at_any_byte_is_no_end_of_the_log(
    place: Place, tmp_path: Path
) -> None:
    handle = place.shell("echo one; echo two >&2; echo three")
    place.finish(handle)
    whole = place.read(handle)
    ends: set[bool] = set()
    with FaultProxy(tmp_path / "docker.sock", find_endpoint(DockerOptions()).socket_path) as proxy:
        through = DockerDriver(ProviderConfig("", "", {"base_url": f"unix://{proxy.address}"}))
        through.observe(handle)  # connects
        for at in range(1, 500):
            fault = Faults(cut_down_at=at)
            proxy.choose = lambda said, fault=fault: fault if b"/logs?" in said else None
            frames: list[LogFrame] = []
            try:
                for batch in through.logs(handle, None, follow=False):
                    frames += batch.frames
                ended = True
            except Unreachable:
                ended = False
            ends.add(ended)
            assert frames == whole if ended else frames == whole[: len(frames)], at
        through.close()
    assert ends == {True, False}


def test_a_damaged_record_never_ends_a_log_in_silence(place: Place) -> None:
    handle = place.shell("i=0; while [ $i -lt 2000 ]; do i=$((i+1)); echo line $i; done")
    place.finish(handle)
    with closing(docker.APIClient()) as client:
        root = Path(client.info()["DockerRootDir"])
    file = root / "containers" / str(handle["id"]) / "local-logs" / "container.log"
    whole = file.read_bytes()
    header = whole.index(b"line 1000") - 100
    chance = random.Random(7)
    for _ in range(60):
        at = header + chance.randrange(100)
        file.write_bytes(whole[:at] + chance.randbytes(300) + whole[at + 300 :])
        assert any(batch.gap for batch in place.driver.logs(handle, None, follow=False))
    file.write_bytes(whole)
    assert not any(batch.gap for batch in place.driver.logs(handle, None, follow=False))


def last_number(place: Place, handle: Handle) -> int:
    """The number in the last whole line that the engine has."""
    return int(place.output(handle).split(b"\n")[-2].split()[1])


def test_removing_a_followed_container_ends_the_reading(place: Place) -> None:
    handle = place.begin("sleep", "1000")
    reader = Thread(target=lambda: list(place.driver.logs(handle, None, follow=True)))
    reader.start()
    place.driver.remove(handle, force=True)
    wait_until(lambda: not reader.is_alive(), 10, "the reading has ended")
