"""Cells of a file that no spreadsheet runs."""

from __future__ import annotations

from projects.export import Form, _piece


def test_a_cell_that_a_spreadsheet_would_run_is_text_and_a_number_is_none() -> None:
    row = {"id": 7, "actor": "=HYPERLINK(1)", "exit_code": -1, "none": None,
           "detail": {"name": 'a "b", c'}}  # fmt: skip
    line = _piece(Form.CSV, list(row), [row], first=True).decode()
    assert line == """7,'=HYPERLINK(1),-1,,"{""name"": ""a \\""b\\"", c""}"\r\n"""
