"""`manage.py doctor`: what is wrong with this instance, and what to do.

Exit status 0: all is well; 1: warnings; 2: something does not work.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from orchestrator.doctor.examination import examine
from orchestrator.doctor.finding import Finding, Level


class Command(BaseCommand):
    """Prints one line a finding, the worst first, each with what to do."""

    help = "Examine database, leases, engines, clocks, disk, queue and jobs; say what to do."
    requires_system_checks: list[str] = []  # it runs them itself, as findings

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="One JSON object instead.")

    def handle(self, *args: Any, **options: Any) -> None:
        found = sorted(examine(), key=lambda finding: -finding.level)
        worst = max((finding.level for finding in found), default=Level.OK)
        tell = as_json if options["json"] else as_lines
        self.stdout.write(tell(found, worst))
        if worst:
            sys.exit(int(worst))


def as_json(found: Sequence[Finding], worst: Level) -> str:
    """For monitoring: the worst level, and every finding."""
    findings = [asdict(f) | {"level": f.level.name.lower()} for f in found]
    return json.dumps({"status": worst.name.lower(), "findings": findings}, indent=2)


def as_lines(found: Sequence[Finding], worst: Level) -> str:
    """For people."""
    lines = []
    for finding in found:
        lines.append(f"{finding.level.name.lower():8} {finding.check:9} {finding.words}")
        if finding.advice:
            lines.append(f"{'':18} → {finding.advice}")
    return "\n".join(lines)
