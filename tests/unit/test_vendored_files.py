"""Vendored files are exactly what their authors published, and nothing else is there."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = [ROOT / "static" / "vendor", ROOT / "tests" / "vendor"]
LICENCES = {"static": {"0BSD", "MIT", "ISC"}, "tests": {"MPL-2.0"}}
"""What ships to browsers is freer than what only tests use."""

each_folder = pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.parent.name)


def lock(folder: Path) -> list[dict[str, str]]:
    return list(json.loads((folder / "vendor.json").read_text()))


@each_folder
def test_every_vendored_file_has_the_hash_of_the_lock_file(folder: Path) -> None:
    rows = lock(folder)
    found = {row["file"]: hashlib.sha256((folder / row["file"]).read_bytes()) for row in rows}
    assert {file: digest.hexdigest() for file, digest in found.items()} == {
        row["file"]: row["sha256"] for row in rows
    }


@each_folder
def test_the_lock_file_names_every_vendored_file(folder: Path) -> None:
    there = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    assert there - {"vendor.json"} == {row["file"] for row in lock(folder)}


@each_folder
def test_every_package_has_its_licence_and_its_version_in_the_folder_name(folder: Path) -> None:
    for row in lock(folder):
        package = f"{row['name']}-{row['version']}"
        assert row["file"].startswith(f"{package}/")
        assert row["licence"] in LICENCES[folder.parent.name]
        assert (folder / package / "LICENSE").read_text().strip()
