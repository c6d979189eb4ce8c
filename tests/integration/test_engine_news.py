"""The question that an engine process asks each second: is there anything to read?"""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from jobs import transitions
from jobs.states import Phase
from orchestrator.postgres_store import PostgresStore
from providers.models import EngineRequest
from tests.support.builders import make_actor, make_provider, make_user
from tests.support.engine_rows import move, placed

pytestmark = pytest.mark.django_db


def test_news_tells_of_each_kind_while_it_is_there_and_of_own_providers_only() -> None:
    store = PostgresStore("me", 10)
    provider, foreign = make_provider(), make_provider()
    ask = [provider.pk]
    assert store.news(ask) == set()

    attempt, fence = placed(provider)
    assert store.news(ask) == {"placed"}
    assert store.news([foreign.pk]) == set()
    transitions.apply([move(attempt, fence, Phase.CREATING)])
    assert store.news(ask) == set()

    transitions.request_cancel([attempt.job_id], make_actor(make_user(superuser=True)))
    assert store.news(ask) == {"cancel"}
    for to in (Phase.STARTING, Phase.RUNNING, Phase.ENDED):
        transitions.apply([move(attempt, fence, to)])
    assert store.news(ask) == set()

    soon, past = (timezone.now() + timedelta(minutes=way) for way in (1, -1))
    EngineRequest.objects.create(provider=provider, kind="probe", deadline=past)
    assert store.news(ask) == set()
    EngineRequest.objects.create(provider=provider, kind="probe", deadline=soon)
    assert store.news(ask) == {"requests"}
    assert [request.kind for request in store.requests(ask)] == ["probe"]
