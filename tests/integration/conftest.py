"""What tests of the web process in this process share."""

from __future__ import annotations

import io
import logging

import pytest


@pytest.fixture
def console(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What the process logs, as its terminal shows it."""
    text = io.StringIO()
    (console,) = (h for h in logging.getLogger().handlers if h.get_name() == "console")
    monkeypatch.setattr(console, "stream", text)
    return text
