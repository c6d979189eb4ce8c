"""Vendored files are exactly what their authors published, and nothing else is there."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "static" / "vendor"
LOCK = json.loads((FOLDER / "vendor.json").read_text())


def test_every_vendored_file_has_the_hash_of_the_lock_file() -> None:
    found = {row["file"]: hashlib.sha256((FOLDER / row["file"]).read_bytes()) for row in LOCK}
    assert {file: digest.hexdigest() for file, digest in found.items()} == {
        row["file"]: row["sha256"] for row in LOCK
    }


def test_the_lock_file_names_every_vendored_file() -> None:
    there = {str(p.relative_to(FOLDER)) for p in FOLDER.rglob("*") if p.is_file()}
    assert there - {"vendor.json"} == {row["file"] for row in LOCK}


def test_every_package_has_its_licence_and_its_version_in_the_folder_name() -> None:
    for row in LOCK:
        folder = f"{row['name']}-{row['version']}"
        assert row["file"].startswith(f"{folder}/")
        assert row["licence"] in {"0BSD", "MIT", "ISC"}
        assert (FOLDER / folder / "LICENSE").read_text().strip()
