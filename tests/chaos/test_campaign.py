"""The frame of campaigns: results survive, trials are run once, figures add up."""

from __future__ import annotations

from pathlib import Path

from tests.chaos.campaign import Results, Scenario, Trial, Verdict, missing, run_trial, table


def holds(trial: Trial) -> Verdict:
    return Verdict({"jobs": 2, "longest recovery s": float(trial.number)})


def breaks(trial: Trial) -> Verdict:
    raise AssertionError(f"not at {trial.number}")


HOLDS = Scenario("some.holds", "fake", 3, holds)
BREAKS = Scenario("some.breaks", "docker", 1, breaks)


def test_a_campaign_that_was_broken_off_goes_on_where_it_was(tmp_path: Path) -> None:
    results = Results(tmp_path / "folder" / "results.jsonl")
    first = missing([HOLDS, BREAKS], results.read())
    assert [(s.name, t.number) for s, t in first] == [
        ("some.holds", 0), ("some.breaks", 0), ("some.holds", 1), ("some.holds", 2),
    ]  # fmt: skip
    for scenario, trial in first[:2]:
        results.add(run_trial(scenario, trial))
    with results.path.open("a") as file:
        file.write('{"scenario": "some.holds", "num')  # the power went away here
    rest = missing([HOLDS, BREAKS], results.read())
    assert [t.number for _, t in rest] == [1, 2]
    results.add(run_trial(*rest[0]))
    assert len(results.read()) == 3


def test_a_trial_has_the_same_seed_whenever_it_is_run() -> None:
    assert HOLDS.trial(1) == HOLDS.trial(1)
    assert HOLDS.trial(1).seed != HOLDS.trial(2).seed


def test_what_a_trial_raises_is_a_break_and_is_told() -> None:
    result = run_trial(BREAKS, BREAKS.trial(0))
    (sentence,) = result.broken
    assert "AssertionError at test_campaign.py" in sentence
    assert "not at 0" in sentence


def test_the_table_sums_figures_keeps_the_greatest_and_never_mixes_drivers() -> None:
    twin = Scenario("some.holds", "docker", 3, holds)
    found = [run_trial(s, s.trial(n)) for s in (HOLDS, twin) for n in (1, 2)]
    text = table([*found, run_trial(BREAKS, BREAKS.trial(0))], [("some.holds", 3)])
    assert "| some.holds | fake | 2 of 3 | 2 | jobs 4, longest recovery s 2 |" in text
    assert "| some.holds | docker | 2 of 3 | 2 | jobs 4, longest recovery s 2 |" in text
    assert "| some.breaks | docker | 1 | 0 |" in text
    assert "not at 0" in text
