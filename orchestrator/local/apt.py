"""Debian's packages, for what Gantry needs of the machine: an engine, a small image.

Root may install; anybody may fetch a package and take files out of it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

INSTALL_SECONDS = 900
LOCK_SECONDS = 300  # an unattended upgrade may hold the package system for minutes
Say = Callable[[str], None]


class AptFailed(RuntimeError):
    """apt or dpkg failed; the message has its last words."""


def can_install() -> bool:
    """Whether this process may install packages."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install(packages: list[str], say: Say) -> None:
    """Install packages without recommendations. Raises AptFailed."""
    say(f"Installing {' '.join(packages)} …")
    argv = ["install", "-y", "--no-install-recommends", *packages]
    try:
        _apt_get(*argv)
    except AptFailed:
        # The lists were missing or older than the archive, or an installation was cut short.
        _run(["dpkg", "--configure", "-a"])
        _apt_get("update")
        _apt_get(*argv)


def unpack(package: str, into: Path) -> None:
    """Fetch a package and lay its files out below `into`, without installing it: that might
    remove another package that a user wants. Raises AptFailed."""
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise AptFailed(f"{package} comes from Debian's archive, and apt-get is not here")
    download = into / "download"
    download.mkdir(parents=True)
    try:
        _apt_get("download", package, cwd=download)
    except AptFailed:
        if os.geteuid() != 0:
            raise
        _apt_get("update")
        _apt_get("download", package, cwd=download)
    for archive in download.glob("*.deb"):
        _run(["dpkg-deb", "--extract", str(archive), str(into)])
    shutil.rmtree(download)


def _apt_get(*words: str, cwd: Path | None = None) -> None:
    _run(["apt-get", "-qq", "-o", f"DPkg::Lock::Timeout={LOCK_SECONDS}", *words], cwd=cwd)


def _run(argv: list[str], cwd: Path | None = None) -> None:
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
            cwd=cwd,
            timeout=INSTALL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise AptFailed(f"{' '.join(argv)} did not end in {INSTALL_SECONDS} s") from error
    if done.returncode != 0:
        words = (done.stdout + done.stderr).strip()[-2000:]
        raise AptFailed(f"{' '.join(argv)} failed:\n{words}")
