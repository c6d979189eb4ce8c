"""The table of endings: what is done to a job, and what Gantry must say of it."""

from tests.e2e.endings import images, programs, stops
from tests.e2e.endings.case import Case

CASES: list[Case] = [*images.CASES, *stops.CASES, *programs.CASES]
"""Those that take longest come first: all are played at the same time."""
