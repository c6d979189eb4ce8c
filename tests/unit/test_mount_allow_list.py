"""Which mounts a provider's allow-list covers."""

from __future__ import annotations

import pytest

from providers.mounts import mount_allowed


@pytest.mark.parametrize(
    ("allowed", "source", "read_only", "expected"),
    [
        ([], "/srv", True, False),
        (["/srv"], "/srv", True, True),
        (["/srv"], "/srv/a/b", True, True),
        (["/srv"], "/srv", False, False),
        (["/srv:rw"], "/srv", False, True),
        (["/srv:rw"], "/srv", True, True),
        (["/srv"], "/srv2", True, False),
        (["/srv/a"], "/srv", True, False),
        (["/srv", "/srv/out:rw"], "/srv/out", False, True),
        (["/srv", "/srv/out:rw"], "/srv/in", False, False),
    ],
)
def test_an_entry_covers_its_folder_and_a_readable_one_what_is_below(
    allowed: list[str], source: str, read_only: bool, expected: bool
) -> None:
    assert mount_allowed(allowed, source, read_only=read_only) is expected


@pytest.mark.parametrize("read_only", [True, False])
@pytest.mark.parametrize(
    "allowed", [["/srv:rw"], ["/", "/srv:rw"], ["/srv", "/srv:rw"], ["/srv:rw", "/srv/link:rw"]]
)
def test_nothing_below_a_writable_folder_is_mounted(allowed: list[str], read_only: bool) -> None:
    """A job may have put a symbolic link to anywhere there."""
    assert not mount_allowed(allowed, "/srv/link", read_only=read_only)
