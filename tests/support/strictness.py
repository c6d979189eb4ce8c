"""A run in which something was skipped, expected to fail or tried again has not passed."""

from __future__ import annotations

import pytest


class NothingLeftOut:
    """A pytest plugin: counts the tests that were let off, and fails the run for them."""

    def __init__(self) -> None:
        self._let_off: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Notes skips, xfails (also those that passed) and reruns."""
        if report.outcome not in ("passed", "failed") or hasattr(report, "wasxfail"):
            self._let_off.append(report.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Notes whole modules that were skipped while they were collected."""
        if report.skipped:
            self._let_off.append(report.nodeid)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Turns an otherwise good run into a failed one."""
        if self._let_off and session.exitstatus in (pytest.ExitCode.OK, 0):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Says which tests were let off."""
        for nodeid in self._let_off:
            terminalreporter.write_line(
                f"NOT ALLOWED: skipped, xfailed or rerun: {nodeid}", red=True
            )
