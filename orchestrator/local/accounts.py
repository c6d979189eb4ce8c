"""The system account that the embedded Postgres runs as.

Postgres refuses to run as root, and files of a database should not belong to somebody
who runs other things. So root gives it an account of its own; anybody else runs it as
themselves.
"""

from __future__ import annotations

import os
import pwd
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

NAME = "gantry-postgres"


class AccountUnavailable(RuntimeError):
    """The account is missing and could not be made."""


@dataclass(frozen=True)
class Account:
    """A user id and its group: who a command runs as and who owns its files."""

    uid: int
    gid: int

    @property
    def is_current(self) -> bool:
        """Whether it is the user that this process runs as."""
        return self.uid == os.geteuid()

    def run(
        self, argv: Sequence[str | Path], *, env: Mapping[str, str] | None = None, timeout: float
    ) -> subprocess.CompletedProcess[str]:
        """Run a command as this account in a session of its own, with a bare environment.

        Standard output and error are returned together in `stdout`; a non-zero exit is the
        caller's to judge. Raises subprocess.TimeoutExpired after `timeout` seconds.
        """
        # A file, not a pipe: a server that the command leaves behind inherits it, and
        # reading a pipe to its end would then wait for that server.
        with tempfile.TemporaryFile() as output:
            done = subprocess.run(
                [str(word) for word in argv],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd="/",
                env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC", **(env or {})},
                timeout=timeout,
                check=False,
                start_new_session=True,
                user=None if self.is_current else self.uid,
                group=None if self.is_current else self.gid,
                extra_groups=None if self.is_current else [],
            )
            output.seek(0)
            text = output.read().decode(errors="replace").strip()
        return subprocess.CompletedProcess(done.args, done.returncode, text, "")

    def can_reach(self, path: Path) -> bool:
        """Whether this account may enter (a folder) or execute (a file) `path`."""
        if self.is_current:
            return os.access(path, os.X_OK)
        return self.run(["/usr/bin/test", "-x", path], timeout=30).returncode == 0

    def owned_folder(self, path: Path) -> Path:
        """Make `path` a folder of this account that nobody else may enter."""
        path.mkdir(mode=0o700, exist_ok=True)
        path.chmod(0o700)
        if not self.is_current:
            os.chown(path, self.uid, self.gid)
        return path


def current_account() -> Account:
    """The user that this process runs as."""
    return Account(os.geteuid(), os.getegid())


def postgres_account() -> Account:
    """Who the embedded Postgres runs as: root's dedicated account, made when it is missing,
    or the current user. Raises AccountUnavailable with what to do."""
    if os.geteuid() != 0:
        return current_account()
    found = _lookup()
    if found is not None:
        return found
    argv = ["useradd", "--system", "--user-group", "--no-create-home"]
    argv += ["--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin", NAME]
    try:
        made = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
        problem = made.stderr.strip()
    except (OSError, subprocess.TimeoutExpired) as error:
        problem = str(error)
    found = _lookup()  # another starter may have made it in the meantime: that is fine too
    if found is None:
        raise AccountUnavailable(
            f"Postgres cannot run as root, and its account could not be made: {problem}. "
            f"Make a system user named {NAME}, or set DATABASE_URL to a server of your own."
        )
    return found


def _lookup() -> Account | None:
    try:
        entry = pwd.getpwnam(NAME)
    except KeyError:
        return None
    return Account(entry.pw_uid, entry.pw_gid)
