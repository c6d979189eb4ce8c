"""`python -m tests.chaos`: runs what is still missing in the result file, then the table."""

from __future__ import annotations

import argparse
import fcntl
import io
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from tests.chaos.campaign import Results, Scenario, Trial, missing, run_trial, table
from tests.support.unwinding import unwind_on_sigterm

if TYPE_CHECKING:
    from tests.support.instance import TestInstance

RESULTS = Path(__file__).parent / "results" / "results.jsonl"


def main() -> int:
    """0 when every trial held, 1 when one broke, 2 when another campaign writes the file."""
    asked = _arguments()
    results = Results(asked.results)
    if asked.table:
        print(table(results.read()))
        return 0
    unwind_on_sigterm()
    with _alone(asked.results) as alone:
        if not alone:
            print(f"another campaign writes {asked.results}")
            return 2
        with _instance() as instance:
            scenarios = [
                Scenario(s.name, s.driver, asked.trials or s.trials, s.run)
                for s in _scenarios()
                if not asked.only or s.name == asked.only or s.name.startswith(f"{asked.only}.")
            ]
            assert scenarios, f"there is a scenario {asked.only}"
            _run(instance, scenarios, results)
    wanted = [(scenario.name, scenario.trials) for scenario in scenarios]
    mine = [result for result in results.read() if result.scenario in dict(wanted)]
    print(table(mine, wanted))
    return 1 if any(result.broken for result in mine) else 0


def _run(instance: TestInstance, scenarios: list[Scenario], results: Results) -> None:
    from tests.chaos.ground import own_ground

    todo = missing(scenarios, results.read())
    if not todo:
        return
    with own_ground(instance):
        for i, (scenario, trial) in enumerate(todo, 1):
            with redirect_stdout(io.StringIO()) as said:
                result = run_trial(scenario, trial)
            results.add(result)
            if result.broken:
                _keep(results.path, trial, said.getvalue())
            held = "; ".join(result.broken) or "held"
            now = time.strftime("%H:%M:%S")
            words = f"{now} {i}/{len(todo)} {scenario.name} {trial.number} {result.seconds} s"
            print(f"{words}: {held}", flush=True)


def _keep(path: Path, trial: Trial, said: str) -> None:
    """What the processes of a broken trial said, in a file beside the results."""
    folder = path.with_suffix(".broken")
    folder.mkdir(exist_ok=True)
    (folder / f"{trial.scenario}-{trial.number}.log").write_text(said)


def _scenarios() -> list[Scenario]:
    """Those of all families."""
    families = import_module("tests.chaos.scenarios")
    found: list[Scenario] = []
    for module in iter_modules(families.__path__):
        family = import_module(f"tests.chaos.scenarios.{module.name}")
        found += getattr(family, "SCENARIOS", [])
    return found


@contextmanager
def _instance() -> Iterator[TestInstance]:
    """A throw-away instance; Django is set up on it."""
    from tests.support.instance import TestInstance

    made = TestInstance()
    try:
        for foreign in [name for name in os.environ if name.startswith("GANTRY_")]:
            del os.environ[foreign]
        os.environ.update(made.environment, DJANGO_SETTINGS_MODULE="orchestrator.settings")
        import django

        django.setup()
        yield made
    finally:
        made.destroy()


@contextmanager
def _alone(path: Path) -> Iterator[bool]:
    """Whether this process alone writes that file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--only", default="", help="one scenario, or one family of them")
    parser.add_argument("--trials", type=int, default=0, help="so many of each, not its own number")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the result file")
    parser.add_argument("--table", action="store_true", help="print what was found, run nothing")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
