"""Crash points: each has its one place in the code, and kills the process that comes there."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from orchestrator.loop.crash_points import POINTS, CrashPoint

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
from orchestrator.loop.crash_points import crash_point
for _ in range(3):
    crash_point("before_plan")
    crash_point("after_create")
    print("passed", flush=True)
"""


def test_each_point_has_one_place_in_the_code() -> None:
    called = Counter(
        name
        for path in (ROOT / "orchestrator").rglob("*.py")
        for name in re.findall(r'crash_point\("(\w+)"\)', path.read_text())
    )
    assert called == dict.fromkeys(POINTS, 1)


@pytest.mark.parametrize(
    ("words", "passed", "status"),
    [("after_create", 0, -signal.SIGKILL), ("after_create:3", 2, -signal.SIGKILL), ("", 3, 0)],
)
def test_a_process_dies_at_the_pass_that_it_was_told(words: str, passed: int, status: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        env=dict(os.environ) | {"GANTRY_CRASH_AT": words},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.count("passed")) == (status, passed), done.stderr


@pytest.mark.parametrize(
    "words", ["nowhere", "after_create:0", "after_create:often", "after_create:stop:2", "stop"]
)
def test_a_point_that_is_not_there_stops_the_process_with_words(words: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="GANTRY_CRASH_AT"):
        CrashPoint(words)


def test_a_process_stops_where_it_is_told_to_and_goes_on() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        env=dict(os.environ) | {"GANTRY_CRASH_AT": "after_create:2:stop"},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        process.send_signal(signal.SIGCONT)
        said, _ = process.communicate()
    assert (process.returncode, said.count("passed")) == (0, 3)
