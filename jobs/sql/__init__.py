"""The statements of jobs: the queue, placements, moves, logs."""

from pathlib import Path

from projects.statements import Statements

fetch = Statements(Path(__file__).parent).fetch
