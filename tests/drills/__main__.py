"""`python -m tests.drills [deaths] [upgrade] [restore]`: run drills, and print what was seen."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence

import django

from tests.support.unwinding import unwind_on_sigterm


def main(names: Sequence[str]) -> int:
    """Run the drills of these names, or all; the exit status."""
    unwind_on_sigterm()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orchestrator.settings")
    django.setup()
    from tests.drills.deaths import deaths
    from tests.drills.restore import restore
    from tests.drills.upgrade import upgrade

    drills: dict[str, Callable[[], dict[str, object]]] = {
        "deaths": deaths,
        "upgrade": upgrade,
        "restore": restore,
    }
    for name in names or drills:
        begun = time.monotonic()
        print(f"drill: {name}")  # noqa: T201
        for what, seen in drills[name]().items():
            print(f"  {what}: {str(seen).strip()}")  # noqa: T201
        print(f"  it held; the whole took {time.monotonic() - begun:.0f} s")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
