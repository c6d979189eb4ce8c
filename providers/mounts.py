"""Which folders of a provider's machine its jobs may mount: the administrator's list.

An entry is an absolute path, readable, or `path:rw`, writable as well. A readable one covers
the folder and all below it, a writable one the folder alone: what is below it may have been
written by a job, and the engine would follow a symbolic link there to any place of its
machine. Empty by default: no mounts.
"""

from __future__ import annotations

from collections.abc import Sequence

from projects.rules import absolute_path

_WRITABLE = ":rw"


def allow_list_entry(value: str) -> str:
    """The entry, or ValueError with what to do."""
    absolute_path(value.removesuffix(_WRITABLE))
    if value.removesuffix(_WRITABLE) == "/":
        raise ValueError("Name a folder below /; all of the machine is too much.")
    return value


def mount_allowed(allow_list: Sequence[str], source: str, *, read_only: bool) -> bool:
    """True when this source, already in its normal form, may be mounted."""
    writable = {e.removesuffix(_WRITABLE) for e in allow_list if e.endswith(_WRITABLE)}
    readable = set(allow_list) - {folder + _WRITABLE for folder in writable}
    if any(source.startswith(folder + "/") for folder in writable):
        return False
    if source in writable:
        return True
    return read_only and any(
        source == folder or source.startswith(folder + "/") for folder in readable
    )
