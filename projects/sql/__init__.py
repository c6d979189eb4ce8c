"""The statements of the ground floor."""

from pathlib import Path

from projects.statements import Statements

_statements = Statements(Path(__file__).parent)
fetch, text = _statements.fetch, _statements.text
