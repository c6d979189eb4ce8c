"""Where the embedded Postgres keeps its files, so that its account can reach them.

The data folder comes first. When its account may not enter it because a parent is
private (GANTRY_DATA below /root, say), nothing outside GANTRY_DATA is opened up: the
files go to /var/lib/gantry/<hash of the data folder's path>, and a pointer file in
the data folder remembers that.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from orchestrator.local.accounts import Account
from orchestrator.local.postgres_binaries import (
    NEWEST,
    copied_programs,
    installed_programs,
)

STATE_FOLDER = Path("/var/lib/gantry")
POINTER = "postgres_home"
# The kernel's limit for a socket's path is 107 bytes, of which its name takes 15.
LONGEST_SOCKET_FOLDER = 90


@dataclass(frozen=True)
class PostgresHome:
    """The folders of one embedded Postgres."""

    cluster: Path
    programs: Path
    sockets: Path


def settle(data_dir: Path, account: Account) -> PostgresHome:
    """Decide (the first time) or recall where Postgres of this data folder lives."""
    base = _base_folder(data_dir, account)
    cluster = base / "postgres"
    version = cluster / "PG_VERSION"
    programs = installed_programs(int(version.read_text()) if version.exists() else NEWEST)
    if not account.can_reach(programs / "postgres"):
        programs = copied_programs(programs, _state_folder(data_dir))
    return PostgresHome(cluster, programs, _socket_folder(base, account))


def _base_folder(data_dir: Path, account: Account) -> Path:
    pointer = data_dir / POINTER
    if pointer.exists():
        return Path(pointer.read_text().strip())
    if account.can_reach(data_dir) or _let_in(data_dir, account):
        return data_dir
    base = _state_folder(data_dir)
    pointer.write_text(f"{base}\n")
    return base


def _let_in(data_dir: Path, account: Account) -> bool:
    """Let the account pass through our own private data folder; nobody else gains a right."""
    if not account.can_reach(data_dir.parent):
        return False
    before = data_dir.stat()
    if stat.S_IMODE(before.st_mode) & 0o077:
        return False
    os.chown(data_dir, -1, account.gid)
    data_dir.chmod(0o710)
    return account.can_reach(data_dir)


def _state_folder(data_dir: Path) -> Path:
    name = hashlib.sha256(str(data_dir).encode()).hexdigest()[:16]
    STATE_FOLDER.mkdir(mode=0o755, parents=True, exist_ok=True)
    folder = STATE_FOLDER / name
    folder.mkdir(mode=0o755, exist_ok=True)
    return folder


def _socket_folder(base: Path, account: Account) -> Path:
    """A folder for the server's socket whose path is short enough for the kernel."""
    usual = base / "postgres-socket"
    if len(os.fsencode(usual)) <= LONGEST_SOCKET_FOLDER:
        return account.owned_folder(usual)
    remembered = base / "postgres_socket_folder"
    if remembered.exists():
        short = Path(remembered.read_text().strip())
        if _belongs_to(short, account):
            return short
    short = account.owned_folder(Path(tempfile.mkdtemp(prefix="gantry-")))
    remembered.write_text(f"{short}\n")
    return short


def _belongs_to(folder: Path, account: Account) -> bool:
    """Whether it is still our private folder: a shared temporary place may be swept, and
    then anybody could have made a folder of that name."""
    try:
        found = folder.lstat()
    except FileNotFoundError:
        return False
    private = stat.S_ISDIR(found.st_mode) and stat.S_IMODE(found.st_mode) == 0o700
    return private and found.st_uid == account.uid
