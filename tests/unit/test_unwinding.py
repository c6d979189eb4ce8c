"""A long program that is told to end takes along what it has started."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import signal
from tests.support.unwinding import unwind_on_sigterm
unwind_on_sigterm()
try:
    print("at work", flush=True)
    signal.pause()
finally:
    print("nothing is left", flush=True)
"""


def test_a_term_signal_unwinds_the_program() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "at work\n"
        process.terminate()
        assert process.stdout.read() == "nothing is left\n"
    assert process.returncode == 128 + signal.SIGTERM
