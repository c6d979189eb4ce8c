"""What the demonstration submits is right before an engine sees it."""

from __future__ import annotations

from collections import Counter

import pytest

from jobs.spec import parse_spec
from orchestrator.demo import cast, places, wishes
from orchestrator.demo.wishes import KEY, Wish
from projects.models import Role
from providers.drivers.fake.script import parse

LOCAL = "local"
ALL: list[Wish] = [
    *wishes.running(LOCAL),
    *wishes.ends(LOCAL, eats_memory=True),
    *wishes.waiting(),
    *(wish for wish, _ in wishes.stopped()),
    wishes.lost(),
    *(wish for wave in wishes.history() for wish in wave),
]


def test_there_are_some_hundred_jobs_of_every_kind() -> None:
    assert len(ALL) > 120
    assert Counter(wish.name for wish in ALL)["nightly-etl"] > 10


def test_no_two_have_one_key_and_every_key_tells_whose_it_is() -> None:
    keys = Counter(wish.key for wish in ALL)
    assert [key for key, times in keys.items() if times > 1] == []
    assert all(key.startswith(KEY) for key in keys)


def test_it_is_the_same_however_often_it_is_told() -> None:
    again = [wish for wave in wishes.history() for wish in wave]
    assert again == ALL[-len(again) :]


@pytest.mark.parametrize("wish", ALL, ids=lambda wish: wish.key)
def test_every_spec_and_every_script_can_be_read(wish: Wish) -> None:
    spec = parse_spec(wish.spec)
    if spec.provider != LOCAL:
        assert spec.provider in places.PLACES or spec.requires, "it may not land on a real engine"
        parse(tuple(spec.command or ()))


@pytest.mark.parametrize("wish", ALL, ids=lambda wish: wish.key)
def test_everybody_may_submit_what_they_submit(wish: Wish) -> None:
    if wish.by != "admin":
        role = cast.PEOPLE[wish.by][wish.spec["project"]]
        assert role in (Role.SUBMITTER, Role.ADMIN)


def test_without_an_engine_of_this_machine_nothing_is_meant_for_one() -> None:
    few = [*wishes.running(None), *wishes.ends(None, eats_memory=False)]
    assert few
    assert all(wish.spec.get("provider") in (None, *places.PLACES) for wish in few)
