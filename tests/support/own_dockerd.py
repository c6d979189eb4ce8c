"""A Docker engine of the suite's own, to be stopped, hung, cut off and filled up.

It lives in namespaces of its own (network, mounts, processes) whose first process is its
containerd: bridges, iptables and mounts stay inside, and when that process is killed, the
kernel ends all that is left in there. The machine's main engine is never touched. Needs
root, as the engine itself does.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import docker

from orchestrator.local.image import CHANGES, busybox_root
from tests.support.waiting import wait_until

PREFIX = "gantry-dockerd-"
CGROUPS = Path("/sys/fs/cgroup")
START_SECONDS = 40
STOP_SECONDS = 40
"""dockerd gives containers that ignore SIGTERM 10 s, then ends them; 15 s in all."""


class OwnDockerd:
    """One engine. `live_restore` counts from the next start on."""

    def __init__(self, folder: Path, *, live_restore: bool = False, disk_mib: int = 0) -> None:
        self.folder = folder
        self.live_restore = live_restore
        self.socket = folder / "docker.sock"
        self._disk_mib = disk_mib
        self._containerd: subprocess.Popen[bytes] | None = None
        self._dockerd: subprocess.Popen[bytes] | None = None
        self._pid = 0
        self._cgroup = folder.name

    @property
    def url(self) -> str:
        """What a provider's `base_url` is to be."""
        return f"unix://{self.socket}"

    def client(self) -> docker.APIClient:
        """The SDK's client of this engine; to be closed by who asked for it."""
        return docker.APIClient(base_url=self.url, timeout=60)

    def load_image(self, name: str) -> None:
        """Make the local busybox image under that name."""
        repository, _, tag = name.partition(":")
        with contextlib.closing(self.client()) as client:
            client.import_image_from_data(
                busybox_root(), repository=repository, tag=tag or "latest", changes=CHANGES
            )

    # --- its life ---

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.launch()
        wait_until(self.answers, START_SECONDS, f"dockerd answers; it said {self.said()}")
        self._pid = _listener(self.socket)

    def launch(self) -> None:
        """Start it, its containerd first where that is not running, and return at once."""
        if self._containerd is None:
            self._start_containerd()
        # As an init script would: the number in it may belong to another process by now.
        (self.folder / "docker.pid").unlink(missing_ok=True)
        self.socket.unlink(missing_ok=True)
        config = {
            "hosts": [self.url],
            "data-root": str(self.folder / "data"),
            "exec-root": str(self.folder / "exec"),
            "pidfile": str(self.folder / "docker.pid"),
            "containerd": str(self.folder / "containerd.sock"),
            "cgroup-parent": f"/{self._cgroup}",
            "live-restore": self.live_restore,
        }
        (self.folder / "daemon.json").write_text(json.dumps(config))
        file = str(self.folder / "daemon.json")
        self._dockerd = self._popen("dockerd", *self._inside("dockerd", "--config-file", file))

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End dockerd, as its service does (SIGTERM) or as a crash does (SIGKILL).
        Containers outlive it, or not, as the engine has it."""
        assert self._dockerd is not None, "it was started"
        os.kill(self._pid, number)
        self._dockerd.wait(STOP_SECONDS)
        self._dockerd = None

    def restart(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Stop and start."""
        self.stop(number)
        self.start()

    def hang(self) -> None:
        """Stop its threads: it takes connections and answers nothing."""
        os.kill(self._pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """End the hang."""
        assert self._dockerd is not None
        os.kill(self._pid, signal.SIGCONT)
        self._dockerd.send_signal(signal.SIGCONT)  # nsenter stops and goes on with its child

    def cut_power(self) -> None:
        """End dockerd, containerd and every container at once; the disk stays."""
        if self._containerd is not None:
            # unshare takes its child along, the first process of the namespace, and the
            # kernel all others of the namespace.
            self._containerd.kill()
            self._containerd.wait()
            self._containerd = None
        if self._dockerd is not None:
            self._dockerd.kill()
            self._dockerd.wait()
            self._dockerd = None
        wait_until(self._nobody_left, 20, "all processes of the engine have ended")
        for name in ("exec", "state"):  # what a machine keeps below /run
            shutil.rmtree(self.folder / name, ignore_errors=True)

    def answers(self) -> bool:
        """Whether it answers now. (The SDK leaves its socket open where nobody listens.)"""
        with socket.socket(socket.AF_UNIX) as asking:
            asking.settimeout(2)
            try:
                asking.connect(str(self.socket))
                asking.sendall(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n")
                return b"200 OK" in asking.recv(100)
            except OSError:
                return False

    def said(self) -> str:
        """The end of what dockerd wrote."""
        log = self.folder / "dockerd.log"
        return log.read_text(errors="replace")[-2000:] if log.exists() else ""

    def asked_to(self, action: str) -> bool:
        """Whether it has told of such an event of a container since it was started."""
        with contextlib.closing(self.client()) as client:
            told = client.events(since=0, until=int(time.time()), filters={"event": action})
            return any(True for _ in told)

    # --- its disk ---

    def fill_disk(self) -> None:
        """Leave no room in its data folder; it was made with `disk_mib`."""
        assert self._disk_mib, "its data folder has a size of its own"
        filler = str(self.folder / "data" / "filler")
        subprocess.run(
            self._inside("sh", "-c", f"dd if=/dev/zero of={filler} bs=64k 2>/dev/null || true"),
            check=True,
        )

    def free_disk(self) -> None:
        """Undo `fill_disk`."""
        subprocess.run(self._inside("rm", str(self.folder / "data" / "filler")), check=True)

    # --- inside ---

    def _start_containerd(self) -> None:
        folder = self.folder
        (folder / "data").mkdir(exist_ok=True)
        (folder / "containerd.toml").write_text(
            f'version = 2\nroot = "{folder}/root"\nstate = "{folder}/state"\n'
            'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
            f'[grpc]\naddress = "{folder}/containerd.sock"\n'
        )
        disk = f"mount -t tmpfs -o size={self._disk_mib}m tmpfs {folder}/data && "
        # dockerd 20.10 keeps there what it calls itself, and so would be the machine's own.
        (folder / "identity").mkdir(exist_ok=True)
        known = f"mkdir -p /etc/docker && mount --bind {folder}/identity /etc/docker && "
        begin = known + (disk if self._disk_mib else "")
        # It ends with the process of the tests, however that ends.
        words = ["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "--mount", "--pid"]
        words += ["--fork", "--kill-child", "--mount-proc", "docker-init", "-s", "--"]
        words += ["sh", "-c", f"{begin}exec containerd --config {folder}/containerd.toml"]
        address = folder / "containerd.sock"
        address.unlink(missing_ok=True)
        self._containerd = self._popen("containerd", *words)
        wait_until(address.exists, START_SECONDS, "containerd listens")

    def _inside(self, *words: str) -> list[str]:
        """A command in the engine's namespaces."""
        assert self._containerd is not None
        outer = self._containerd.pid
        (first,) = Path(f"/proc/{outer}/task/{outer}/children").read_text().split()
        return ["nsenter", "--target", first, "--net", "--mount", "--pid", *words]

    def _popen(self, name: str, *words: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def _nobody_left(self) -> bool:
        for tasks in CGROUPS.glob(f"*/{self._cgroup}/**/cgroup.procs"):
            with contextlib.suppress(FileNotFoundError):
                if tasks.read_text().strip():
                    return False
        return True

    def destroy(self) -> None:
        """End all of it, and delete its files and cgroups."""
        self.cut_power()
        _delete(self.folder)


@contextmanager
def own_dockerd(
    image: str = "", *, live_restore: bool = False, disk_mib: int = 0
) -> Iterator[OwnDockerd]:
    """A running engine, with the image loaded, of which nothing is left behind.

    `disk_mib`: the size of its data folder, which is then kept in memory.
    """
    _sweep_leftovers()
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
    engine = OwnDockerd(folder, live_restore=live_restore, disk_mib=disk_mib)
    try:
        engine.start()
        if image:
            engine.load_image(image)
        yield engine
    finally:
        engine.destroy()


def _listener(path: Path) -> int:
    """The number of the process that listens on a unix socket."""
    with socket.socket(socket.AF_UNIX) as asking:
        asking.connect(str(path))
        told = asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        return int(struct.unpack("3i", told)[0])


def _delete(folder: Path) -> None:
    shutil.rmtree(folder)
    for top in CGROUPS.glob(f"*/{folder.name}"):
        for path, _, _ in os.walk(top, topdown=False):
            with contextlib.suppress(FileNotFoundError):
                Path(path).rmdir()


def _sweep_leftovers() -> None:
    """What a killed run left of its engine; its processes ended with it."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}[0-9]*-*"):
        owner = folder.name.removeprefix(PREFIX).partition("-")[0]
        if not Path(f"/proc/{owner}").exists():
            _delete(folder)
