"""curl, as people use it: whole lines for a shell."""

from __future__ import annotations

import os
import shutil
import subprocess

from orchestrator.local import apt


def have_curl() -> None:
    """Installs it if need be and we are root."""
    if shutil.which("curl") is None:
        if not apt.can_install():
            raise AssertionError("the tests need curl: sudo apt-get install curl")
        apt.install(["curl"], print)


def in_shell(line: str, token: str) -> subprocess.Popen[bytes]:
    """A line for a shell, started with a token in $GANTRY_TOKEN; what it prints can be read."""
    return subprocess.Popen(
        ["sh", "-c", f"exec {line}"],
        env=os.environ | {"GANTRY_TOKEN": token},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def ran(line: str, token: str, seconds: float = 60) -> bytes:
    """What such a line has printed when it is over, with exit code 0."""
    process = in_shell(line, token)
    out, err = process.communicate(timeout=seconds)
    assert process.returncode == 0, f"{line}: {process.returncode} {err.decode()} {out!r}"
    return out
