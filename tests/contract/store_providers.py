"""What every Store must do with providers: part of the store's contract."""

from __future__ import annotations

from orchestrator.scheduling.policy import plan
from providers.driver import Health, Probe
from providers.leases import provider_lease
from tests.contract.store_stage import OnStage, Stage, acquire, scheduled


class ProvidersContract(OnStage):
    """The rules, one a test."""

    def test_a_provider_out_of_reach_takes_nothing_until_it_is_back(self, stage: Stage) -> None:
        provider = stage.add_provider("here")
        job = stage.add_job()
        fence = acquire(stage.store, provider_lease(provider))
        stage.store.save_probe(fence, provider, Probe(Health.UNREACHABLE, "connection refused"))
        scheduler, placed = scheduled(stage)
        assert placed == 0
        assert stage.job(job) == ("pending", "provider_down")
        stage.store.save_probe(fence, provider, Probe(Health.HEALTHY, cpu_cores=4, memory_mb=8192))
        assert stage.store.commit_plan(scheduler, plan(stage.store.snapshot()))[0] == 1

    def test_a_probe_of_a_lost_lease_is_not_believed(self, stage: Stage) -> None:
        provider = stage.add_provider("here")
        stage.add_job()
        stale = acquire(stage.store, provider_lease(provider))
        stage.expire_leases()
        acquire(stage.other, stale.name)
        stage.store.save_probe(stale, provider, Probe(Health.UNREACHABLE, "hung"))
        assert scheduled(stage)[1] == 1

    def test_all_providers_are_known_to_the_keeper_whatever_their_mode(self, stage: Stage) -> None:
        ids = [stage.add_provider(name) for name in ("a", "b")]
        stage.set_mode(ids[1], "inactive")
        assert [site.id for site in stage.store.sites()] == ids
