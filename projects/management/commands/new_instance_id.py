"""`manage.py new_instance_id`: give a cloned database an identity of its own.

Two instances with one id would each take the other's containers for theirs. After cloning
a database (a staging copy, say) run this once in the copy, before its engine starts.
"""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from projects.actor import SYSTEM
from projects.services import instance_id_renew


class Command(BaseCommand):
    """Prints the new id."""

    help = "Give this database a new instance id. Run once after cloning one."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(str(instance_id_renew(SYSTEM)))
