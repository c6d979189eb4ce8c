"""Which folders of a provider's machine its jobs may mount: the administrator's list.

An entry is an absolute path, readable, or `path:rw`, writable as well. It covers the
folder and all below it. Empty by default: no mounts.
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
    for entry in allow_list:
        folder = entry.removesuffix(_WRITABLE)
        inside = source == folder or source.startswith(folder + "/")
        if inside and (read_only or entry.endswith(_WRITABLE)):
            return True
    return False
