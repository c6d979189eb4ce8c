"""`manage.py demo`: some hundred jobs of all kinds, beside a running Gantry (docs/demo.md)."""

from __future__ import annotations

from argparse import ArgumentTypeError
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError

from jobs.query import moment_of
from jobs.states import JobState
from orchestrator.demo import cast, story
from orchestrator.local.borrowed_postgres import reachable_database
from orchestrator.local.postgres_tools import ToolFailed
from projects.errors import Conflict
from projects.quantities import duration_text


def _seconds(text: str) -> float:
    """A length of time as queries have it: 30m, 6h, 1d."""
    length = moment_of(text)
    if not isinstance(length, timedelta) or length > timedelta(days=2):
        raise ArgumentTypeError("Write 30m, 6h or 1d; at most 2d.")
    return length.total_seconds()


class Command(BaseCommand):
    """Makes what is missing of the demonstration and says what to look at."""

    help = "Fill a fresh, running instance with a demonstration: people, providers and jobs."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--into-used", action="store_true", help="Also where other jobs have been run."
        )
        parser.add_argument(
            "--over",
            type=_seconds,
            default=0.0,
            metavar="6h",
            help="Submit the series over that time (30m, 6h, 1d) instead of at once.",
        )
        parser.add_argument("--password", help="Let the people of the demonstration sign in with.")

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.ALLOW_FAKE_DRIVER:
            raise CommandError(
                "The demonstration's providers run nothing, and this instance allows none such. "
                "Set GANTRY_ALLOW_FAKE=1 for this command."
            )
        try:
            with reachable_database(Path(settings.DATA_DIR)):
                self._tell(options["password"], options["over"], into_used=options["into_used"])
        except (OperationalError, ToolFailed, OSError) as error:
            raise CommandError(str(error)) from error
        except (story.CannotTell, cast.NameTaken, Conflict) as error:
            raise CommandError(str(error)) from error

    def _tell(self, password: str | None, over: float, *, into_used: bool) -> None:
        if (others := story.others()) and not into_used:
            raise CommandError(
                f"{others}{'' if others < 1000 else ' or more'} jobs here are not of the "
                "demonstration. Use a fresh instance (another GANTRY_DATA and GANTRY_PORT), "
                "or --into-used."
            )
        telling = story.Story(self.stdout.write, password, over)
        telling.tell()
        states = story.made()
        counts = ", ".join(f"{states[s]} {s.value}" for s in JobState if states.get(s))
        self.stdout.write(f"\n{telling.account.jobs} jobs made now; of all of them: {counts}.")
        for late in telling.account.late:
            self.stdout.write(f"  {late}")
        self.stdout.write(self._what_to_open(password, over))

    def _what_to_open(self, password: str | None, over: float) -> str:
        names = ", ".join([*cast.PEOPLE, cast.OPERATOR])
        sign_in = f"{names} (password as given)" if password else "the administrator"
        when = f"last {duration_text(int(over))}" if over else "last minutes"
        return (
            f"All of it is of the {when}. The providers of kind fake play scripts and run "
            "nothing: give jobs of your own to this machine's provider.\n"
            f"Open {settings.PUBLIC_URL}/ as {sign_in}, and see\n"
            "  /jobs?q=state:failed   what failed, each with its cause and what to do\n"
            "  /jobs?q=state:running  what runs; train-ranker and nightly-etl write all the time\n"
            "  /jobs?q=state:pending  what waits, each for another reason\n"
            "  /providers             of several sizes; one is gone, one drains"
        )
