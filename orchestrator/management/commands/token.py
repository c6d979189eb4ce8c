"""`manage.py token USER --name NAME`: a new API token, alone on standard output.

Gantry may be running or not.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.checks import Tags
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError

from orchestrator.local.borrowed_postgres import reachable_database
from orchestrator.local.postgres_tools import ToolFailed
from projects import tokens
from projects.errors import Conflict


class Command(BaseCommand):
    """Prints the token once; only its hash is kept."""

    requires_system_checks = [Tags.compatibility, Tags.security]
    help = "Make an API token for USER and print it. It cannot be shown again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", metavar="USER")
        parser.add_argument("--name", required=True, metavar="NAME", help="What it is for.")

    def handle(self, *args: Any, **options: Any) -> None:
        name = options["name"].strip()
        if not 1 <= len(name) <= 80:
            raise CommandError("NAME needs 1 to 80 characters.")
        try:
            with reachable_database(Path(settings.DATA_DIR)):
                self.stdout.write(_issued(options["user"], name))
        except (OperationalError, ToolFailed, OSError) as error:
            raise CommandError(str(error)) from error


def _issued(username: str, name: str) -> str:
    try:
        user = User.objects.get(username=username)
    except User.DoesNotExist:
        raise CommandError(f"There is no user {username!r}.") from None
    if not user.is_active:
        raise CommandError(f"User {username!r} is disabled.")
    try:
        return tokens.issue(user, name)[1]
    except Conflict as error:
        raise CommandError(str(error)) from None
