"""A small image that needs no registry: Debian's static busybox and little else.

The sample job of a new instance runs in it, and so do the tests.
"""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
import tempfile
from pathlib import Path

from orchestrator.local import apt
from providers.drivers.docker.host import HostEngine

SAMPLE = "gantry/hello:latest"
# What makes a container's program find its shell; the engine's own default is the same.
CHANGES = ["ENV PATH=/usr/local/bin:/usr/bin:/bin", 'CMD ["sh"]']
PASSWD = """\
root:x:0:0:root:/root:/bin/sh
nobody:x:65534:65534:nobody:/nonexistent:/bin/false
"""
GROUP = "root:x:0:\nnogroup:x:65534:\n"
FOLDERS = {"bin": 0o755, "etc": 0o755, "root": 0o700, "tmp": 0o1777, "var": 0o755, "usr": 0o755}


def ensure_image(name: str) -> bool:
    """Import the image into this machine's engine unless it is there; whether it was not.

    Raises AptFailed where busybox cannot be had.
    """
    with HostEngine() as engine:
        if engine.has_image(name):
            return False
        engine.import_image(busybox_root(), name, CHANGES)
        return True


def busybox_root() -> bytes:
    """The tar of a root folder with busybox and all its applets. Raises AptFailed."""
    program = _static_busybox()
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        for name, mode in FOLDERS.items():
            _add(tar, name, tarfile.DIRTYPE, mode)
        _add(tar, "bin/busybox", tarfile.REGTYPE, 0o755, program)
        for applet in _applets(program):
            _add(tar, f"bin/{applet}", tarfile.SYMTYPE, 0o777, target="busybox")
        _add(tar, "usr/bin", tarfile.SYMTYPE, 0o777, target="../bin")
        _add(tar, "etc/passwd", tarfile.REGTYPE, 0o644, PASSWD.encode())
        _add(tar, "etc/group", tarfile.REGTYPE, 0o644, GROUP.encode())
    return content.getvalue()


def _add(
    tar: tarfile.TarFile, name: str, kind: bytes, mode: int, data: bytes = b"", target: str = ""
) -> None:
    """One entry, owned by root and without a time: the same input makes the same image."""
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.linkname, entry.size = kind, mode, target, len(data)
    tar.addfile(entry, io.BytesIO(data))


def _static_busybox() -> bytes:
    installed = Path("/bin/busybox")
    if installed.exists():
        program = installed.read_bytes()
        if _is_static(program):
            return program
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        apt.unpack("busybox-static", root)
        found = next(path for path in root.rglob("busybox") if os.access(path, os.X_OK))
        return found.read_bytes()


def _is_static(program: bytes) -> bool:
    """Whether it names no loader, which Debian's other busybox package does near its start."""
    return b"/ld-linux" not in program[:4096]


def _applets(program: bytes) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "busybox"  # it goes by the name that it is called
        copy.write_bytes(program)
        copy.chmod(0o700)
        listed = subprocess.run([copy, "--list"], capture_output=True, text=True, check=True)
    return sorted(set(listed.stdout.split()) - {"busybox"})
