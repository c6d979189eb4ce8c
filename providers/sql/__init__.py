"""The statements of providers."""

from pathlib import Path

from projects.statements import Statements

fetch = Statements(Path(__file__).parent).fetch
