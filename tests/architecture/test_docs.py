"""The docs say what the code says, as far as a machine can tell."""

from __future__ import annotations

import ast
import json
import re
import tomllib
from pathlib import Path

import pytest
from django.db import connection

from jobs.states import TERMINAL, JobState, Outcome, Phase
from tests.support.doc_tables import DOCS, tables, with_tables

ROOT = DOCS.parent


def first_column(page: str) -> list[str]:
    """The cells of the first column of all tables of a page, without back-quotes."""
    rows = re.findall(r"^\| *([^|]+?) *\|", (DOCS / page).read_text(), re.MULTILINE)
    headings = {"package", "variable", "word"}
    return [cell.strip("`") for cell in rows if cell not in headings and set(cell) != {"-"}]


@pytest.mark.parametrize("page", tables())
def test_the_tables_follow_the_code(page: str) -> None:
    text = (DOCS / page).read_text()
    assert text == with_tables(page, text), "run: python -m tests.support.doc_tables"


def package(requirement: str) -> str:
    return re.split(r"[=\[;]", requirement)[0].strip()


def test_every_direct_dependency_has_its_reason() -> None:
    direct, _, _ = (ROOT / "requirements.txt").read_text().partition("\n\n")
    runtime = [package(line) for line in direct.splitlines() if not line.startswith("#")]
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    development = [package(line) for line in pyproject["dependency-groups"]["dev"]]
    vendored = [*vendored_in("static"), *vendored_in("tests")]
    assert first_column("dependencies.md") == runtime + development + vendored


def vendored_in(folder: str) -> list[str]:
    """The packages whose files stand in a folder."""
    lock = json.loads((ROOT / folder / "vendor" / "vendor.json").read_text())
    return sorted({entry["name"] for entry in lock})


def test_every_dependency_is_pinned_exactly() -> None:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    lines = [
        *(ROOT / "requirements.txt").read_text().splitlines(),
        *pyproject["dependency-groups"]["dev"],
    ]
    loose = [
        line
        for line in lines
        if line and not line.startswith("#") and not re.fullmatch(r"[\w.\[\],-]+==[\w.]+", line)
    ]
    assert loose == []


def variables_read() -> set[str]:
    """The environment variables of ours that Python code names, and DATABASE_URL."""
    found = set()
    for folder in ("orchestrator", "jobs", "providers", "projects"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found.update(re.findall(r"\A(?:GANTRY_[A-Z_]+|DATABASE_URL)\Z", node.value))
    return found


def test_every_variable_is_documented_and_no_other() -> None:
    assert set(first_column("configuration.md")) == variables_read()


def test_every_acceptance_check_is_listed_with_the_files_of_its_tests() -> None:
    proven: dict[int, set[str]] = {}
    for path in (ROOT / "tests").rglob("test_*.py"):
        named = re.findall(r"^def test_checks?_((?:\d+_)+)", path.read_text(), re.MULTILINE)
        for number in "".join(named).split("_")[:-1]:
            proven.setdefault(int(number), set()).add(str(path.relative_to(ROOT)))
    rows = re.findall(r"^\| (\d+) \|(.*)", (DOCS / "checks.md").read_text(), re.MULTILINE)
    listed = {int(number): set(re.findall(r"`(tests/[^`]+)`", row)) for number, row in rows}
    assert listed == proven
    assert sorted(listed) == list(range(1, 31))


def test_links_between_the_docs_lead_somewhere() -> None:
    broken = []
    for page in [*DOCS.glob("*.md"), ROOT / "README.md"]:
        text = page.read_text() if page.exists() else ""
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", text):
            if not (page.parent / target).exists():
                broken.append(f"{page.name}: {target}")
    assert broken == []


def constraint(name: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = %s", [name]
        )
        row = cursor.fetchone()
    assert row is not None, f"no constraint {name}"
    return str(row[0])


def words(definition: str) -> set[str]:
    return set(re.findall(r"'([^']*)'", definition))


@pytest.mark.django_db
def test_the_schema_knows_the_same_words_as_the_tables() -> None:
    assert words(constraint("job_state_known")) == set(JobState)
    assert words(constraint("job_finished_when_terminal")) == set(TERMINAL)
    assert words(constraint("attempt_phase_known")) == set(Phase)
    assert words(constraint("attempt_outcome_known")) == {"", *Outcome}


@pytest.mark.django_db
def test_the_schema_allows_one_live_attempt_per_job() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexdef FROM pg_indexes WHERE indexname = %s", ["attempt_one_live_per_job"]
        )
        (definition,) = cursor.fetchone()
    assert definition.startswith("CREATE UNIQUE INDEX")
    assert definition.endswith("USING btree (job_id) WHERE (ended_at IS NULL)")
    ended_only = constraint("attempt_ended_has_outcome")
    assert words(ended_only) == {"", Phase.ENDED}
    assert ended_only.count("ended_at IS NOT NULL") == ended_only.count("ended_at IS NULL") == 1


def test_the_docs_name_files_that_exist() -> None:
    missing = []
    for page in DOCS.glob("*.md"):
        for path in re.findall(
            r"`((?:orchestrator|jobs|providers|projects|tests)/[\w/.]+)`", page.read_text()
        ):
            if not (ROOT / Path(path)).exists():
                missing.append(f"{page.name}: {path}")
    assert missing == []
