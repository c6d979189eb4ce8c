"""The statements of the ground floor."""

from pathlib import Path

from projects.statements import Statements

fetch = Statements(Path(__file__).parent).fetch
