"""Reading what only a real engine writes: latency, silence, cut lines, full volume."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Thread

import pytest

from providers.driver import LogFrame, Stream
from tests.integration.docker_driver.place import Place, joined
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


def test_removing_a_followed_container_ends_the_reading(place: Place) -> None:
    handle = place.begin("sleep", "1000")
    reader = Thread(target=lambda: list(place.driver.logs(handle, None, follow=True)))
    reader.start()
    place.driver.remove(handle, force=True)
    wait_until(lambda: not reader.is_alive(), 10, "the reading has ended")
