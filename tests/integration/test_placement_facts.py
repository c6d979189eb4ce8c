"""What the planner chooses a provider by: its group, its cost, the images it has."""

from __future__ import annotations

from typing import Any

import pytest

from jobs.models import Job
from orchestrator.postgres_store import PostgresStore
from orchestrator.scheduling.policy import plan
from projects.errors import Invalid
from projects.models import Event, InstanceSettings
from providers.driver import Health, Probe
from providers.leases import SCHEDULER, Fence, provider_lease
from providers.models import HealthState, Provider, ProviderImage
from providers.services import provider_create, provider_update
from tests.support.attempts import make_attempt
from tests.support.builders import make_actor, make_job, make_project, make_provider, make_user
from tests.support.engine_rows import hold
from tests.support.pages import signed_in, words_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def store() -> PostgresStore:
    InstanceSettings.objects.get_or_create(pk=1)
    return PostgresStore("me", 60)


def placed_on(store: PostgresStore, job: Job, scheduler: Fence | None = None) -> str:
    store.commit_plan(scheduler or hold(SCHEDULER), plan(store.snapshot()))
    found = Job.objects.select_related("provider").get(pk=job.pk).provider
    return found.name if found else ""


def test_a_provider_that_joins_a_group_is_filled_as_the_group_is() -> None:
    actor = make_actor(make_user("ops", staff=True))
    first = provider_create(actor, name="a", kind="process", group="rack", strategy="pack")
    second = provider_create(actor, name="b", kind="process", group="rack")
    assert (first.strategy, second.strategy) == ("pack", "pack")
    other = provider_create(actor, name="c", kind="process")
    assert provider_update(actor, other.pk, {"group": "rack"}).strategy == "pack"


def test_how_a_group_is_filled_is_changed_for_all_of_it() -> None:
    actor = make_actor(make_user("ops", staff=True))
    ids = [provider_create(actor, name=n, kind="process", group="rack").pk for n in "ab"]
    alone = provider_create(actor, name="alone", kind="process")
    provider_update(actor, ids[0], {"strategy": "pack", "cost_per_hour": 0.25})
    found = dict(Provider.objects.values_list("pk", "strategy"))
    assert found == {ids[0]: "pack", ids[1]: "pack", alone.pk: "spread"}
    changes = Event.objects.filter(type="provider.updated").latest("id").detail["changes"]
    assert changes == {"strategy": ["spread", "pack"], "cost_per_hour": [None, 0.25]}


@pytest.mark.parametrize(
    ("field", "value"), [("cost_per_hour", -1), ("strategy", "fill"), ("group", "rack a")]
)
def test_what_cannot_be_is_refused_at_its_field(field: str, value: object) -> None:
    actor = make_actor(make_user("ops", staff=True))
    with pytest.raises(Invalid) as refused:
        provider_create(actor, name="a", kind="process", **{field: value})
    assert refused.value.problems[0].pointer == f"/{field}"


def test_the_form_keeps_group_strategy_and_cost() -> None:
    browser = signed_in(make_user("ops", staff=True))
    provider = make_provider("node-1", kind="process")
    form = {"name": "node-1", "group": "rack", "strategy": "pack", "cost_per_hour": "0.35"}
    assert browser.post(f"/providers/{provider.pk}/edit", form).status_code == 302
    row = Provider.objects.get(pk=provider.pk)
    assert (row.group, row.strategy, float(row.cost_per_hour or 0)) == ("rack", "pack", 0.35)
    words = words_of(browser.get(f"/providers/{provider.pk}"))
    assert "the fullest of its group first, with the group rack" in words
    assert "0.35 an hour" in words


def test_images_that_a_probe_found_are_kept_as_they_are_now(store: PostgresStore) -> None:
    provider = make_provider("node-1")
    fence = hold(provider_lease(provider.pk))
    for images in (frozenset({"a:1", "b:2"}), frozenset({"b:2", "c:3"}), None):
        store.save_probe(fence, provider.pk, Probe(Health.HEALTHY, images=images))
    assert set(ProviderImage.objects.values_list("image", flat=True)) == {"b:2", "c:3"}


def test_a_job_goes_where_its_image_is(store: PostgresStore) -> None:
    make_provider("empty")
    has = make_provider("has")
    ProviderImage.objects.create(provider=has, image="trainer:7")
    assert placed_on(store, make_job(spec={"image": "trainer:7"})) == "has"


def test_of_equal_providers_the_cheaper_one_is_taken(store: PostgresStore) -> None:
    make_provider("dear", cost_per_hour=2)
    make_provider("cheap", cost_per_hour="0.5")
    assert placed_on(store, make_job()) == "cheap"


@pytest.mark.parametrize(
    ("change", "goes"),
    [
        ({"labels": {"zone": "b"}}, "pinned"),
        ({"name": "another"}, "zoned"),
        ({"health": HealthState.UNREACHABLE}, None),
        ({"disk_free_bytes": 2**20, "disk_total_bytes": 2**40}, None),
    ],
)
def test_what_was_found_of_a_provider_during_a_look_counts_when_it_is_committed(
    store: PostgresStore, change: dict[str, Any], goes: str | None
) -> None:
    provider = make_provider("node-1", labels={"zone": "a"})
    zone = {"key": "zone", "op": "eq", "values": ["a"]}
    make_job(spec={"name": "zoned", "requires": [zone]})
    make_job(spec={"name": "pinned", "provider": "node-1"})
    fence, made = hold(SCHEDULER), plan(store.snapshot())
    assert len(made.placements) == 2
    Provider.objects.filter(pk=provider.pk).update(**change)
    store.commit_plan(fence, made)
    placed = Job.objects.filter(state="scheduled").values_list("name", flat=True)
    assert list(placed) == ([goes] if goes else [])


DB = {"labels": {"app": "db"}}
APART = DB | {"anti_affinity": ["app"]}


def test_a_job_keeps_apart_from_all_that_have_the_label_whatever_they_ask(
    store: PostgresStore,
) -> None:
    scheduler, first = hold(SCHEDULER), make_provider("node-1")
    make_provider("node-2", cpu_millis=2000)
    make_attempt(job=make_job(state="running", provider=first, spec=DB), provider=first)
    web, of_another = {"labels": {"app": "web"}}, make_project("etl")
    assert placed_on(store, make_job(spec=web), scheduler) == "node-1"
    assert placed_on(store, make_job(spec=APART), scheduler) == "node-2"
    assert placed_on(store, make_job(spec=APART, project=of_another), scheduler) == "node-1"
    crowded = make_job(spec=APART)
    assert placed_on(store, crowded, scheduler) == ""
    assert Job.objects.select_related("queue_class").get(pk=crowded.pk).told[0] == "apart"


def test_from_what_is_placed_in_the_same_look_too(store: PostgresStore) -> None:
    make_provider("node-1")
    plain, apart = make_job(spec=DB | {"priority": 90}), make_job(spec=APART)
    fence = hold(SCHEDULER)
    for _ in range(2):
        store.commit_plan(fence, plan(store.snapshot()))
    found = {job.pk: job.told[0] for job in Job.objects.select_related("queue_class")}
    assert found == {plain.pk: "placed", apart.pk: "apart"}
