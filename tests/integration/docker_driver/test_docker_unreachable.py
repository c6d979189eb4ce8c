"""Engines that are dead, hang, talk nonsense or break off: every call ends in time, and
says that its effect is unknown. No engine is needed."""

from __future__ import annotations

import json
import select
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

import pytest

from providers.driver import (
    Driver,
    EngineFault,
    Health,
    ProviderConfig,
    Rejected,
    RunSpec,
    SupportsStats,
    Unreachable,
)
from providers.drivers.docker import DockerDriver
from providers.drivers.docker.client import CALLS as MOST

HANDLE = {"v": 1, "id": "0" * 64}
SPEC = RunSpec("instance", 1, 1, "uid", 1, "name", "image", ("true",))
DEADLINE_SECONDS = 0.5

Call = Callable[[DockerDriver], object]
CALLS: dict[str, Call] = {
    "pull": lambda driver: driver.pull("image", None, lambda progress: None),
    "create": lambda driver: driver.create(SPEC),
    "start": lambda driver: driver.start(HANDLE),
    "observe": lambda driver: driver.observe(HANDLE),
    "list_owned": lambda driver: driver.list_owned(),
    "logs": lambda driver: list(driver.logs(HANDLE, None, follow=True)),
    "stop": lambda driver: driver.stop(HANDLE, 0.1),
    "kill": lambda driver: driver.stop(HANDLE, 0),
    "remove": lambda driver: driver.remove(HANDLE, force=False),
    "stats": lambda driver: driver.stats(HANDLE),
}
every_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())


def driver_at(address: str) -> DockerDriver:
    options = {
        "base_url": address,
        "query_seconds": DEADLINE_SECONDS,
        "effect_seconds": DEADLINE_SECONDS,
        "pull_silence_seconds": DEADLINE_SECONDS,
        "log_idle_seconds": DEADLINE_SECONDS,
    }
    return DockerDriver(ProviderConfig("test", "instance", options))


@contextmanager
def listening(answer: Callable[[bytes], bytes] | None) -> Iterator[str]:
    """The address of something that answers each request so and hangs up, or never answers."""
    server = socket.create_server(("127.0.0.1", 0))
    accepted: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            accepted.append(connection)
            if answer is not None:
                try:
                    connection.sendall(answer(connection.recv(65536)))
                finally:
                    connection.close()

    thread = Thread(target=serve)
    thread.start()
    try:
        yield f"tcp://127.0.0.1:{server.getsockname()[1]}"
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join()
        for connection in accepted:
            connection.close()


@contextmanager
def crowded() -> Iterator[tuple[str, Callable[[], int]]]:
    """Something that takes connections and never answers, and how many were open at once."""
    server = socket.create_server(("127.0.0.1", 0), backlog=200)
    open_now: set[socket.socket] = set()
    most = 0

    def serve() -> None:
        nonlocal most
        poll = select.poll()
        poll.register(server, select.POLLIN)
        known: dict[int, socket.socket] = {server.fileno(): server}
        while not ended.is_set():
            # those that went before those that came
            for number, _ in sorted(poll.poll(20), key=lambda ready: ready[0] == server.fileno()):
                if number == server.fileno():
                    connection, _address = server.accept()
                    known[connection.fileno()] = connection
                    open_now.add(connection)
                    most = max(most, len(open_now))
                    poll.register(connection, select.POLLIN)
                elif not known[number].recv(65536):
                    poll.unregister(number)
                    open_now.discard(known[number])
                    known.pop(number).close()

    ended = Event()
    thread = Thread(target=serve)
    thread.start()
    try:
        yield f"tcp://127.0.0.1:{server.getsockname()[1]}", lambda: most
    finally:
        ended.set()
        thread.join()
        for connection in (server, *open_now):
            connection.close()


@contextmanager
def trickling() -> Iterator[str]:
    """Tells its version, and answers everything else with one space now and then, without end."""
    server = socket.create_server(("127.0.0.1", 0))
    ended = Event()
    threads: list[Thread] = []

    def trickle(connection: socket.socket) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"
        with connection, suppress(OSError):
            if connection.recv(65536).startswith(b"GET /version"):
                connection.sendall(engine_that(b"")(b"GET /version"))
                return
            connection.sendall(head)
            while not ended.wait(DEADLINE_SECONDS / 10):
                connection.sendall(b" ")

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            threads.append(Thread(target=trickle, args=(connection,)))
            threads[-1].start()

    accepting = Thread(target=serve)
    accepting.start()
    try:
        yield f"tcp://127.0.0.1:{server.getsockname()[1]}"
    finally:
        ended.set()
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        for thread in (accepting, *threads):
            thread.join()


def assert_unreachable_in_time(driver: DockerDriver, call: Call, *, answers: bool = False) -> str:
    begun = time.monotonic()
    with pytest.raises(Unreachable) as raised:
        call(driver)
    assert time.monotonic() - begun < 8 * DEADLINE_SECONDS
    assert isinstance(raised.value, EngineFault) is answers
    driver.close()
    return str(raised.value)


def answered(status: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nConnection: close\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def engine_that(then: bytes) -> Callable[[bytes], bytes]:
    """Tells its version, and answers everything else with these bytes."""

    def answer(request: bytes) -> bytes:
        if request.startswith(b"GET /version"):
            return answered("200 OK", b'{"ApiVersion": "1.41", "Version": "20.10.24"}')
        return then

    return answer


@every_call
def test_an_engine_that_is_not_there_is_unreachable_at_once(call: Call, tmp_path: Path) -> None:
    text = assert_unreachable_in_time(driver_at(f"unix://{tmp_path}/none.sock"), call)
    assert "No such file" in text


@every_call
def test_an_engine_that_hangs_is_unreachable_at_the_deadline(call: Call) -> None:
    with listening(None) as address:
        assert_unreachable_in_time(driver_at(address), call)


@every_call
def test_an_engine_that_breaks_off_is_unreachable(call: Call) -> None:
    with listening(engine_that(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{")) as address:
        assert_unreachable_in_time(driver_at(address), call)


@every_call
def test_the_effect_is_unknown_too_where_an_engine_answers_that_it_failed(call: Call) -> None:
    trouble = answered("500 Internal Server Error", b'{"message": "something broke"}')
    with listening(engine_that(trouble)) as address:
        text = assert_unreachable_in_time(driver_at(address), call, answers=True)
    assert "something broke" in text


@pytest.mark.parametrize("nonsense", [b"SSH-2.0-OpenSSH\r\n", answered("200 OK", b"<html>")])
def test_what_is_no_docker_engine_is_unreachable(nonsense: bytes) -> None:
    with listening(lambda request: nonsense) as address:
        assert_unreachable_in_time(driver_at(address), CALLS["observe"])


@contextmanager
def one_hangs() -> Iterator[str]:
    """Two containers of ours; of the one whose id begins with f00 the engine never tells."""
    hung: list[socket.socket] = []

    def answer(request: bytes) -> bytes:
        path = request.split(b" ", 2)[1].partition(b"/containers/")[2]
        if not path.startswith(b"json"):
            return answered(
                "200 OK",
                b'{"State": {"Status": "exited", "ExitCode": 3}, '
                b'"HostConfig": {}, "Created": "2026-01-01T00:00:00Z"}',
            )
        labels = {
            "gantry.instance": "instance",
            "gantry.job": "1",
            "gantry.attempt": "1",
            "gantry.term": "1",
        }
        listed = [
            {"Id": one, "State": "exited", "Created": 1, "Labels": labels | {"gantry.uid": one}}
            for one in ("f00", "bar")
        ]
        return answered("200 OK", json.dumps(listed).encode())

    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            request = connection.recv(65536)
            if b"/containers/f00/" in request:
                hung.append(connection)
                continue
            with connection:
                known = request.startswith(b"GET /version")
                connection.sendall(engine_that(b"")(request) if known else answer(request))

    thread = Thread(target=serve)
    thread.start()
    try:
        yield f"tcp://127.0.0.1:{server.getsockname()[1]}"
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join()
        for connection in hung:
            connection.close()


def test_an_inspect_that_hangs_delays_no_look_at_its_neighbours() -> None:
    with ThreadPoolExecutor(1) as other:
        with one_hangs() as address:
            driver = DockerDriver(ProviderConfig("test", "instance", {"base_url": address}))
            hanging = other.submit(driver.observe, {"v": 1, "id": "f00"})
            for _ in range(3):
                assert [one.uid for one in driver.list_owned()] == ["f00", "bar"]
                assert driver.observe({"v": 1, "id": "bar"}).exit_code == 3
            assert not hanging.done(), "none of that waited for the deadline of a call"
        with pytest.raises(Unreachable):  # the engine is gone
            hanging.result(10)
        driver.close()


def test_a_log_that_is_cut_is_unreachable_and_not_an_end() -> None:
    payload = b"2026-11-23T15:28:07.666608051Z hello\n"
    frame = bytes([1, 0, 0, 0]) + len(payload).to_bytes(4, "big") + payload
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    with listening(engine_that(chunked + b"%x\r\n%s\r\n" % (len(frame), frame))) as address:
        stream = iter(driver_at(address).logs(HANDLE, None, follow=False))
        assert [frame.data for frame in next(stream).frames] == [b"hello\n"]
        with pytest.raises(Unreachable, match="cut"):
            next(stream)


def test_a_probe_never_raises_and_says_why(tmp_path: Path) -> None:
    gone = driver_at(f"unix://{tmp_path}/none.sock").probe()
    assert gone.health is Health.UNREACHABLE
    assert "No such file" in gone.detail
    with listening(None) as address:
        begun = time.monotonic()
        assert driver_at(address).probe().health is Health.UNREACHABLE
        assert time.monotonic() - begun < 8 * DEADLINE_SECONDS
    with listening(lambda request: b"nonsense") as address:
        assert driver_at(address).probe().health is Health.UNREACHABLE


def test_an_old_engine_is_told_as_such() -> None:
    old = answered("200 OK", b'{"ApiVersion": "1.40", "Version": "19.03.1", "Name": "elsewhere"}')
    with listening(lambda request: old) as address:
        probe = driver_at(address).probe()
    assert probe.health is Health.DEGRADED
    assert "19.03.1" in probe.detail
    assert probe.disk_free_bytes is None


def test_a_driver_recovers_as_soon_as_the_engine_is_back(tmp_path: Path) -> None:
    driver = driver_at(f"unix://{tmp_path}/engine.sock")
    with pytest.raises(Unreachable):
        driver.list_owned()
    server = socket.socket(socket.AF_UNIX)
    server.bind(f"{tmp_path}/engine.sock")
    server.listen()
    answer = engine_that(answered("200 OK", b"[]"))

    def serve() -> None:
        for _ in range(2):
            connection, _address = server.accept()
            with connection:
                connection.sendall(answer(connection.recv(65536)))

    thread = Thread(target=serve)
    thread.start()
    assert driver.list_owned() == []
    thread.join()
    server.close()
    driver.close()


@pytest.mark.parametrize(
    "options",
    [
        {"base_uri": "unix:///x"},
        {"gpus": -1},
        {"gpus": True},
        {"query_seconds": 0},
        {"tls_verify": "yes"},
    ],
)
def test_options_that_make_no_sense_are_refused_by_name(options: dict[str, object]) -> None:
    with pytest.raises(Rejected, match=next(iter(options))):
        DockerDriver(ProviderConfig("test", "instance", options))


@pytest.mark.parametrize(
    "options",
    [
        {"base_url": "ssh://host"},
        {"base_url": "gopher://host:1"},
        {"context": "nosuchcontext"},
        {"base_url": "tcp://127.0.0.1:1", "tls_ca": "/nosuch/ca.pem"},
    ],
)
def test_an_address_that_makes_no_sense_is_refused_and_probed_as_unreachable(
    options: dict[str, object],
) -> None:
    driver = DockerDriver(ProviderConfig("test", "instance", options))
    with pytest.raises(Rejected):
        driver.list_owned()
    assert driver.probe().health is Health.UNREACHABLE


def test_the_driver_is_what_the_contract_asks_for() -> None:
    driver = DockerDriver(ProviderConfig("test", "instance"))
    assert isinstance(driver, Driver)
    assert isinstance(driver, SupportsStats)


def test_a_crowd_at_an_engine_that_hangs_holds_few_connections_and_is_told_in_time() -> None:
    with crowded() as (address, most):
        driver = driver_at(address)
        with ThreadPoolExecutor(3 * MOST) as pool:
            begun = time.monotonic()
            asked = [pool.submit(driver.observe, HANDLE) for _ in range(3 * MOST)]
            for answer in asked:
                with pytest.raises(Unreachable):
                    answer.result()
            assert time.monotonic() - begun < 8 * DEADLINE_SECONDS
        driver.close()
        assert 1 <= most() <= MOST


def test_an_answer_that_trickles_in_without_end_is_given_up() -> None:
    with trickling() as address:
        assert_unreachable_in_time(driver_at(address), CALLS["observe"])
