"""The proxy that the fault tests stand on does what they believe of it."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest

from tests.support.fault_proxy import FaultProxy, Faults
from tests.support.waiting import wait_until


class EchoServer:
    """Says back what it is told; remembers it."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self.listener.getsockname()[:2]
        self.heard = b""
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(
                    target=self._echo, args=(self.listener.accept()[0],), daemon=True
                ).start()

    def _echo(self, end: socket.socket) -> None:
        with contextlib.suppress(OSError), end:
            while data := end.recv(4096):
                self.heard += data
                end.sendall(data)


@pytest.fixture
def echo() -> Iterator[EchoServer]:
    made = EchoServer()
    yield made
    made.listener.close()


@pytest.fixture(params=["tcp", "unix"])
def proxy(request: pytest.FixtureRequest, echo: EchoServer, tmp_path: Path) -> Iterator[FaultProxy]:
    listen = ("127.0.0.1", 0) if request.param == "tcp" else tmp_path / "proxy.sock"
    with FaultProxy(listen, echo.address) as made:
        yield made


def connected(proxy: FaultProxy) -> socket.socket:
    if isinstance(proxy.address, tuple):
        end = socket.create_connection(proxy.address)
    else:
        end = socket.socket(socket.AF_UNIX)
        try:
            end.connect(str(proxy.address))
        except OSError:
            end.close()
            raise
    end.settimeout(10)
    return end


def heard(end: socket.socket, wanted: int | None = None) -> bytes:
    """What arrives, up to `wanted` bytes or to the end."""
    data = b""
    with contextlib.suppress(ConnectionError):
        while (wanted is None or len(data) < wanted) and (more := end.recv(4096)):
            data += more
    return data


def test_without_faults_every_byte_passes_both_ways(proxy: FaultProxy) -> None:
    said = bytes(range(256)) * 4000
    with connected(proxy) as end:
        threading.Thread(target=end.sendall, args=(said,)).start()
        assert heard(end, len(said)) == said


@pytest.mark.parametrize("at", [0, 1, 7, 8])
def test_a_connection_is_cut_after_exactly_so_many_bytes_of_the_answer(
    proxy: FaultProxy, at: int
) -> None:
    proxy.faults = Faults(cut_down_at=at)
    with connected(proxy) as end:
        end.sendall(b"12345678")
        assert heard(end) == b"12345678"[:at]
    assert proxy.cuts == 1


def test_a_connection_is_cut_after_exactly_so_many_bytes_of_the_question(
    proxy: FaultProxy, echo: EchoServer
) -> None:
    proxy.faults = Faults(cut_up_at=3)
    with connected(proxy) as end:
        end.sendall(b"12345678")
        heard(end)
    wait_until(lambda: echo.heard == b"123", 5, "three bytes and no more")


def test_a_dropped_reply_leaves_what_was_asked_done(proxy: FaultProxy, echo: EchoServer) -> None:
    proxy.faults = Faults(drop_reply_to=b"COMMIT")
    with connected(proxy) as end:
        end.sendall(b"INSERT")
        assert heard(end, 6) == b"INSERT"
        end.sendall(b"COMMIT")
        assert heard(end) == b""
    assert echo.heard == b"INSERTCOMMIT"


def test_held_replies_come_once_it_is_mended(proxy: FaultProxy) -> None:
    with connected(proxy) as end:
        proxy.hold_replies()
        end.sendall(b"hello")
        end.settimeout(0.1)
        with pytest.raises(TimeoutError):
            end.recv(1)
        end.settimeout(10)
        proxy.mend()
        assert heard(end, 5) == b"hello"


def test_a_cut_proxy_takes_no_connection_until_it_is_mended(proxy: FaultProxy) -> None:
    with connected(proxy) as end:
        proxy.cut()
        assert heard(end) == b""
        with pytest.raises(OSError, match=r"refused|No such file"):
            connected(proxy)
    proxy.mend()
    with connected(proxy) as end:
        end.sendall(b"again")
        assert heard(end, 5) == b"again"


def test_faults_can_be_chosen_for_one_connection_by_its_question(proxy: FaultProxy) -> None:
    proxy.choose = lambda said: Faults(black_hole=True) if said == b"lost" else None
    with connected(proxy) as good, connected(proxy) as bad:
        good.sendall(b"kept")
        assert heard(good, 4) == b"kept"
        bad.sendall(b"lost")
        bad.settimeout(0.1)
        with pytest.raises(TimeoutError):
            bad.recv(1)


@pytest.mark.parametrize("slow", [Faults(delay_seconds=0.1), Faults(bytes_per_second=20)])
def test_a_slow_target_answers_late_and_completely(proxy: FaultProxy, slow: Faults) -> None:
    proxy.faults = slow
    with connected(proxy) as end:
        began = monotonic()
        end.sendall(b"ab")
        assert heard(end, 2) == b"ab"
        assert monotonic() - began >= 0.19


def test_its_thread_ends_with_it(echo: EchoServer) -> None:
    with FaultProxy(("127.0.0.1", 0), echo.address) as proxy, connected(proxy) as end:
        end.sendall(b"x")
        heard(end, 1)
    assert not [t for t in threading.enumerate() if t.name == "fault-proxy"]
