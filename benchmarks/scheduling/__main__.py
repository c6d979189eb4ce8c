"""`python -m benchmarks.scheduling`: what plans cost and what they are worth."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.report import RESULTS, machine_versions
from benchmarks.scheduling import comparison, costs, openb
from benchmarks.scheduling.measures import measures
from benchmarks.scheduling.simulation import simulate


def main() -> int:
    """0 when every goal that was measured is met, 1 when one is missed."""
    asked = _arguments()
    for name, text in machine_versions().items():
        _say(f"{name:10}{text}")
    data: dict[str, Any] = {}
    met = _plan(asked, data) if asked.what == "plan" else _simulate(asked, data)
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{asked.what}.json"
    path.write_text(json.dumps(data, indent=1))
    _say(f"\nWritten to {path}. {'Goals met.' if met else 'A goal is MISSED.'}")
    return 0 if met else 1


def _plan(asked: argparse.Namespace, data: dict[str, Any]) -> bool:
    _say(f"\nProcessor time, in brackets that of the clock\n\n{costs.table_head()}")
    found = []
    for kind, each in costs.by_classes(asked.traces):
        _say(costs.row(kind, each))
        found.append(each)
    data["by_classes"] = [asdict(each) for each in found]
    if asked.curves:
        pending = [(each.pending, each) for each in costs.by_pending()]
        title = "Cost by pending jobs: 1,000 classes, 1,000 providers"
        _plot(asked, "cost-by-pending", costs.curve(title, "pending jobs", pending))
        providers = [(each.providers, each) for each in costs.by_providers()]
        title = "Cost by providers: 100,000 pending jobs, 1,000 classes"
        _plot(asked, "cost-by-providers", costs.curve(title, "providers", providers))
        for _, each in pending + providers:
            _say(costs.row("made up", each))
            found.append(each)
        data["curves"] = [asdict(each) for _, each in pending + providers]
    return not any(costs.missed(each) for each in found)


def _simulate(asked: argparse.Namespace, data: dict[str, Any]) -> bool:
    met = True
    if asked.traces is not None:
        for variant in openb.TASKS:
            filled = dict(comparison.fillings(asked.traces, variant))
            _say(f"\nopenb filled with tasks of {variant}\n\n{comparison.filling_head()}")
            for name, each in filled.items():
                _say(comparison.filling_row(name, each))
            data[f"filled_{variant}"] = {n: [asdict(f) for f in e] for n, e in filled.items()}
            met &= comparison.fills_no_worse(filled)
            title = f"openb filled with tasks of {variant}"
            _plot(asked, f"filled-{variant}", comparison.filling_plot(title, filled))
    for name, setting in comparison.settings(asked.traces, asked.seed):
        _say(f"\n{name}\n\n{comparison.table_head()}")
        courses = {}
        for scheduler, (decide, pack) in comparison.SCHEDULERS.items():
            courses[scheduler] = simulate(setting(pack=pack), decide)
            _say(comparison.row(scheduler, measures(courses[scheduler])))
        data[name] = {n: asdict(measures(course)) for n, course in courses.items()}
        met &= not any(measures(courses[ours]).late for ours in comparison.OURS)
        _plot(asked, name.replace(" ", "-").replace(",", ""), comparison.waits_plot(name, courses))
    return met


def _plot(asked: argparse.Namespace, name: str, text: str) -> None:
    if asked.plots is not None:
        asked.plots.mkdir(parents=True, exist_ok=True)
        (asked.plots / f"{name}.svg").write_text(text)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scheduling", description=__doc__)
    parser.add_argument("what", choices=("plan", "simulate"))
    parser.add_argument("--traces", type=Path, help="folder of the openb files; without it none")
    parser.add_argument("--plots", type=Path, help="folder to write SVG plots into")
    parser.add_argument("--seed", type=int, default=1, help="of the made-up load")
    parser.add_argument("--curves", action="store_true", help="plan: also the two cost curves")
    return parser.parse_args()


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
