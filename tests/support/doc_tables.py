"""The tables of docs/ that follow from code.

`python -m tests.support.doc_tables` writes them anew between their markers; a test says
when that is due.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from jobs.reasons import ENDS, NOTES, WAITS, Reason
from jobs.states import JOB_EDGES, PHASE_EDGES, Edge
from tests.e2e.endings import CASES
from tests.e2e.endings.case import Case

DOCS = Path(__file__).resolve().parents[2] / "docs"


def tables() -> dict[str, dict[str, str]]:
    """By page: each marked table's name and its Markdown."""
    return {
        "states.md": {"job": _edges(JOB_EDGES), "attempt": _edges(PHASE_EDGES)},
        "reasons.md": {
            "waits": _waits(WAITS),
            "ends": _ends(ENDS),
            "notes": _notes(NOTES),
            "endings": _endings(CASES),
        },
    }


def with_tables(page: str, text: str) -> str:
    """The page's text with its tables as they should be. Raises LookupError for a marker
    that is missing."""
    for name, table in tables()[page].items():
        head, marker, rest = text.partition(f"<!-- table {name} -->\n")
        _, end, tail = rest.partition("<!-- end -->")
        if not (marker and end):
            raise LookupError(f"docs/{page} has no table {name}")
        text = f"{head}{marker}{table}\n{end}{tail}"
    return text


def _edges(edges: Iterable[Edge]) -> str:
    rows = [
        (f"`{e.source}`", f"`{e.target}`", f"`{e.event}`", ", ".join(sorted(e.who))) for e in edges
    ]
    return _table(("from", "to", "event", "by"), rows)


def _waits(reasons: Iterable[Reason]) -> str:
    return _table(("code", "words"), [(f"`{r.code}`", r.text) for r in reasons])


def _notes(reasons: Iterable[Reason]) -> str:
    rows = [(f"`attempt.{r.code}`", f"`{r.code}`", r.text) for r in reasons]
    return _table(("event", "code", "words"), rows)


def _ends(reasons: Iterable[Reason]) -> str:
    rows = [
        (f"`{r.code}`", r.text.replace(":memory}", "}"), r.blame.value, "yes" * r.retryable)
        for r in reasons
    ]
    return _table(("code", "words", "whose doing", "in `retry.on`"), rows)


def _endings(cases: Iterable[Case]) -> str:
    rows = [
        (
            case.how,
            case.state,
            f"`{case.reason}`",
            "" if case.exit_code is None else str(case.exit_code),
            case.words,
        )
        for case in cases
    ]
    return _table(("what happens", "the job is", "reason", "exit code", "words"), rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


if __name__ == "__main__":
    for page in tables():
        path = DOCS / page
        path.write_text(with_tables(page, path.read_text()))
