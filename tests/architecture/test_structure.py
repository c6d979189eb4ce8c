"""Rules about the code as a whole, held by reading it."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from django.core.management import call_command

ROOT = Path(__file__).resolve().parents[2]
APPS = ("orchestrator", "jobs", "providers", "projects")
WRITER = "jobs/transitions/"

STATE_COLUMNS = {
    # of jobs
    "state", "reason", "reason_detail", "held", "exit_code", "provider",
    "provider_id", "attempt",
    "charged", "queued_at", "not_before", "started_at", "finished_at", "cancel_requested_at",
    "cancel_requested_by",
    # of attempts
    "phase", "outcome", "placed_at", "pulling_at", "creating_at", "starting_at", "running_at",
    "finishing_at", "ended_at", "term", "handle",
}  # fmt: skip
LOG_COLUMNS = {
    "log_seq", "log_lines", "log_stdout_bytes", "log_stderr_bytes", "log_cursor", "log_complete",
    "log_note", "log_archive", "log_archived_seq",
}  # fmt: skip
SLEEPS = {"time.sleep", "asyncio.sleep", "page.wait_for_timeout"}
TABLES_OF_STATE = {"Job", "Attempt"}


def modules(*folders: str) -> list[Path]:
    found = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    return [path for path in found if "migrations" not in path.parts]


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def imports_state(module: ast.Module) -> bool:
    """True when a module has Job or Attempt at hand."""
    return any(
        isinstance(node, ast.ImportFrom)
        and node.module == "jobs.models"
        and TABLES_OF_STATE & {alias.name for alias in node.names}
        for node in ast.walk(module)
    )


def state_writes(module: ast.Module) -> Iterator[tuple[int, str]]:
    """Where a module that has Job or Attempt seems to write a state column: line, column.

    Seen are `update(column=…)`, `save`, `bulk_update` and `update_or_create` that name a
    column, and `thing.column = …`.
    """
    if imports_state(module):
        for node in ast.walk(module):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                yield from _written_by_call(node, node.func.attr)
            elif isinstance(node, ast.Assign):
                yield from _written_by_assignment(node.targets)
            elif isinstance(node, ast.AugAssign | ast.AnnAssign):
                yield from _written_by_assignment([node.target])


def _written_by_call(call: ast.Call, method: str) -> Iterator[tuple[int, str]]:
    if method in {"update", "update_or_create"}:
        yield from ((call.lineno, k.arg) for k in call.keywords if k.arg in STATE_COLUMNS)
    if method in {"save", "asave", "bulk_update", "update_or_create"}:
        for node in ast.walk(call):
            if isinstance(node, ast.Constant) and node.value in STATE_COLUMNS:
                yield node.lineno, str(node.value)


def _written_by_assignment(targets: list[ast.expr]) -> Iterator[tuple[int, str]]:
    for target in targets:
        if not isinstance(target, ast.Attribute) or target.attr not in STATE_COLUMNS:
            continue
        if not (isinstance(target.value, ast.Name) and target.value.id == "self"):
            yield target.lineno, target.attr


SQL_UPDATE = re.compile(
    r"UPDATE\s+jobs_(?:job|attempt)\b(.*?)(?:\bFROM\b|\bWHERE\b|\Z)", re.S | re.I
)
SQL_INSERT = re.compile(r"INSERT\s+INTO\s+jobs_(?:job|attempt)\b", re.I)


def sql_writes(text: str) -> set[str]:
    """The state columns that statements in a text set."""
    written = set()
    for found in SQL_UPDATE.finditer(text):
        written |= set(re.findall(r"\b(\w+)\s*=(?!=)", found[1])) & STATE_COLUMNS
    if SQL_INSERT.search(text):
        written.add("a whole row")
    return written


def strings(module: ast.Module) -> str:
    """All text constants of a module, one after the other."""
    constants = (n.value for n in ast.walk(module) if isinstance(n, ast.Constant))
    return "\n".join(value for value in constants if isinstance(value, str))


def test_nobody_but_the_transitions_writes_state() -> None:
    found = [
        f"{name(path)}:{line} writes {column}"
        for path in modules(*APPS)
        if not name(path).startswith(WRITER)
        for line, column in state_writes(tree(path))
    ]
    assert found == []


def test_no_sql_outside_the_transitions_writes_state() -> None:
    inside_python = [
        f"{name(path)}: {sorted(columns)}"
        for path in modules(*APPS)
        if not name(path).startswith(WRITER) and (columns := sql_writes(strings(tree(path))))
    ]
    assert inside_python == []


def test_statements_that_write_state_are_used_by_the_transitions_alone() -> None:
    writing = {path.stem for path in ROOT.glob("*/sql/*.sql") if sql_writes(path.read_text())}
    assert {"move_jobs", "move_attempts", "place_jobs"} <= writing  # or this test sees nothing
    users = {
        f"{name(path)} uses {statement}"
        for path in modules(*APPS)
        if not name(path).startswith(WRITER)
        for statement in re.findall(r"""statement\(["'](\w+)["']\)""", path.read_text())
        if statement in writing
    }
    assert users == set()


@pytest.mark.parametrize(
    "code",
    [
        "Job.objects.filter(pk=1).update(state='failed')",
        "job = Job.objects.get(pk=1); job.state = 'failed'",
        "attempt.phase: str = 'ended'",
        "job.save(update_fields=['rev', 'finished_at'])",
        "Attempt.objects.bulk_update(rows, ['outcome'])",
    ],
)
def test_the_search_for_writers_finds_them(code: str) -> None:
    assert list(state_writes(ast.parse("from jobs.models import Job, Attempt\n" + code)))


def test_the_search_for_writers_leaves_the_log_columns_alone() -> None:
    code = "from jobs.models import Attempt\nAttempt.objects.update(log_note='gone', log_seq=3)"
    assert not list(state_writes(ast.parse(code)))
    assert not LOG_COLUMNS & STATE_COLUMNS


def test_the_search_in_sql_tells_setting_from_asking() -> None:
    assert sql_writes("UPDATE jobs_job AS j SET state = 'x' FROM y") == {"state"}
    assert sql_writes("UPDATE jobs_job SET rev = rev + 1 WHERE state = 'x'") == set()


@pytest.mark.django_db
def test_the_migrations_say_all_that_the_models_say(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        call_command("makemigrations", "--check", "--dry-run", skip_checks=True)
    except SystemExit:
        pytest.fail("models without a migration:\n" + capsys.readouterr().out)


def test_no_module_is_too_long() -> None:
    limits = [(modules(*APPS, "benchmarks"), 400), (modules("tests"), 500)]
    long = [
        f"{name(path)}: {length} lines"
        for paths, limit in limits
        for path in paths
        if (length := len(path.read_text().splitlines())) > limit
    ]
    assert long == []


def test_no_module_is_called_after_nothing() -> None:
    nothing = {"utils", "util", "common", "helpers", "misc"}
    found = [name(p) for p in modules(*APPS, "tests", "benchmarks") if p.stem in nothing]
    assert found == []


def test_no_model_signals() -> None:
    found = [
        name(path)
        for path in modules(*APPS)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ImportFrom) and node.module == "django.db.models.signals"
    ]
    assert found == []


def sleeps(module: ast.Module) -> Iterator[int]:
    """Lines on which time passes for its own sake; `asyncio.sleep(0)` only lets others run."""
    for node in ast.walk(module):
        if isinstance(node, ast.ImportFrom) and node.module in {"time", "asyncio"}:
            if any(alias.name == "sleep" for alias in node.names):
                yield node.lineno
        elif (
            isinstance(node, ast.Call)
            and ast.unparse(node.func) in SLEEPS
            and ast.unparse(node) != "asyncio.sleep(0)"
        ):
            yield node.lineno


def test_tests_wait_for_conditions_and_never_sleep() -> None:
    sleepy = "time.sleep(1)\nasyncio.sleep(0)\nasyncio.sleep(0.1)"
    assert sorted(sleeps(ast.parse(sleepy))) == [1, 3]
    found = [f"{name(path)}:{n}" for path in modules("tests") for n in sleeps(tree(path))]
    assert found == []


def test_every_folder_with_tests_is_run() -> None:
    options = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    folders = {name(path).split("/")[1] for path in (ROOT / "tests").rglob("test_*.py")}
    assert sorted(options["testpaths"]) == sorted(f"tests/{folder}" for folder in folders)


def test_tests_let_nothing_off() -> None:
    found = [
        f"{name(path)}:{node.lineno}"
        for path in modules("tests")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute)
        and node.attr in {"skip", "skipif", "xfail"}
        and getattr(node.value, "id", getattr(node.value, "attr", "")) in {"pytest", "mark"}
    ]
    assert found == []
