"""`manage.py token USER --name NAME`: a new API token, alone on standard output."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser

from projects import tokens


class Command(BaseCommand):
    """Prints the token once; only its hash is kept."""

    help = "Make an API token for USER and print it. It cannot be shown again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", metavar="USER")
        parser.add_argument("--name", required=True, metavar="NAME", help="What it is for.")

    def handle(self, *args: Any, **options: Any) -> None:
        name = options["name"].strip()
        if not 1 <= len(name) <= 80:
            raise CommandError("NAME needs 1 to 80 characters.")
        try:
            user = User.objects.get(username=options["user"])
        except User.DoesNotExist:
            raise CommandError(f"There is no user {options['user']!r}.") from None
        if not user.is_active:
            raise CommandError(f"User {options['user']!r} is disabled.")
        _, text = tokens.issue(user, name)
        self.stdout.write(text)
