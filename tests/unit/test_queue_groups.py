"""What a job without room lacks, and which group a stored reason belongs to."""

from __future__ import annotations

import pytest

from jobs.queue_groups import BY_SCARCE, GROUPS, NEXT, codes_of, group_of, named_codes, scarce
from jobs.reasons import WAITS
from providers.fit import Answer, Fit

MEMORY = Fit(Answer.FULL, lacks_memory_mb=512)
CPU = Fit(Answer.FULL, lacks_cpu_millis=500)
BOTH = Fit(Answer.FULL, lacks_cpu_millis=500, lacks_memory_mb=512)
GPU = Fit(Answer.FULL, lacks_gpus=1)
SLOT = Fit(Answer.FULL, lacks_slots=1)


@pytest.mark.parametrize(
    ("full", "missing"),
    [
        ([MEMORY], "memory"), ([MEMORY, BOTH], "memory"), ([CPU, BOTH], "cpu"), ([GPU], "gpu"),
        ([SLOT, SLOT], "slot"), ([MEMORY, CPU], "room"), ([], "room"),
    ],
)  # fmt: skip
def test_only_what_every_full_provider_lacks_is_named(full: list[Fit], missing: str) -> None:
    assert scarce(full) == missing


def test_every_stored_reason_of_a_wait_has_a_group_that_asks_for_it_again() -> None:
    for reason in WAITS:
        key = group_of(reason.code)
        assert key in GROUPS
        codes = codes_of(key)
        if codes is None:
            assert key == NEXT
            assert reason.code not in named_codes()
        else:
            assert reason.code in codes


def test_a_reason_that_nobody_knows_waits_for_the_next_look() -> None:
    assert group_of("") == group_of("from-the-future") == NEXT


def test_words_follow_a_number() -> None:
    assert GROUPS["no_match"].words(1) == "fits no provider"
    assert GROUPS["no_match"].words(3) == "fit no provider"
    assert [GROUPS[key].words(30) for key in BY_SCARCE] == [
        "for memory", "for CPU", "for a GPU", "for a slot", "for room",
    ]  # fmt: skip
