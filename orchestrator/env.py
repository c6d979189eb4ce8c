"""Reading the environment: every knob is read here, typed, and fails loudly."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

PROJECT_ROOT = Path(__file__).resolve().parent.parent


def text(name: str, default: str = "") -> str:
    """The variable's value, or the default when it is unset or empty."""
    return os.environ.get(name) or default


def flag(name: str, default: bool = False) -> bool:
    """A yes/no variable; anything but 1/true/yes/on/0/false/no/off is refused."""
    value = text(name).lower()
    if not value:
        return default
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off"}:
        return False
    raise ImproperlyConfigured(f"{name}={value!r} is neither yes nor no; use 1 or 0")


def number(name: str, default: float, *, least: float, most: float) -> float:
    """A number within its bounds."""
    raw = text(name)
    if not raw:
        return default
    try:
        value = float(raw)
    except ValueError:
        raise ImproperlyConfigured(f"{name}={raw!r} is not a number") from None
    if not least <= value <= most:
        raise ImproperlyConfigured(f"{name}={raw} is outside {least:g} to {most:g}")
    return value


def data_dir() -> Path:
    """Where this instance keeps its files; made with mode 0700 when it is missing."""
    path = Path(text("GANTRY_DATA", str(PROJECT_ROOT / ".data"))).expanduser().resolve()
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def secret_key() -> str:
    """GANTRY_SECRET_KEY, or the one kept (and first made) in the data folder, mode 0600."""
    given = text("GANTRY_SECRET_KEY")
    if given:
        return given
    path = data_dir() / "secret_key"
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    with os.fdopen(fd, "w") as file:
        value = secrets.token_urlsafe(48)
        file.write(value + "\n")
    return value


def database_url() -> str:
    """DATABASE_URL, or the address of the embedded Postgres that `manage.py up` started.

    Without either, an address that cannot be reached: commands that need no database
    (check, collectstatic) work, and the others say that the database does not answer.
    """
    given = text("DATABASE_URL")
    if given:
        return given
    path = data_dir() / "database_url"
    if path.exists():
        return path.read_text().strip()
    return "postgresql://gantry@127.0.0.1:1/gantry"
