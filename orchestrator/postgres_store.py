"""The store in Postgres: thin over the apps' own modules, one short transaction a call."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast, get_args

from django.db import DatabaseError, InterfaceError, connection, transaction
from django.db.models.functions import Now

from jobs import stat_store, transitions
from jobs.log import store as log_store
from jobs.log.store import Append
from jobs.log.trim import HeededLimit, trim_all
from jobs.models import Attempt, Job
from jobs.queue_classes import give_classes
from jobs.sql import fetch
from jobs.stat_store import Measured
from jobs.states import LIVE_PHASES, Phase
from jobs.transitions import BatchResult, Move, Placement, Wait, Yielding, ledger
from orchestrator import line, live_attempts
from orchestrator.capacity import fitting_now
from orchestrator.reconcile import Wanted
from orchestrator.scheduling.policy import Plan
from orchestrator.scheduling.snapshot import Snapshot
from orchestrator.store import (
    ALL_ALIKE,
    CancelWish,
    Leftover,
    Order,
    Request,
    Site,
    StoreDown,
    Word,
)
from projects import secrets
from projects.database_down import is_down
from projects.models import InstanceSettings
from projects.notify import JobChange, LiveChanges, notify_engine, notify_live
from projects.storable import storable_values
from providers import leases
from providers.driver import Credential, Owned, Probe
from providers.leases import Fence, fenced
from providers.models import EngineRequest, Provider, RegistryCredential, RequestStatus
from providers.probes import probe_save

logger = logging.getLogger("gantry.engine")

P = ParamSpec("P")
R = TypeVar("R")


def _or_down(
    method: Callable[Concatenate[PostgresStore, P], R],
) -> Callable[Concatenate[PostgresStore, P], R]:
    """A lost connection, or one without use, becomes `StoreDown`, and the next call opens a new
    one. Whether the connection is usable does not tell: Django has opened a new one."""

    @wraps(method)
    def call(self: PostgresStore, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(self, *args, **kwargs)
        except (DatabaseError, InterfaceError) as error:
            if not is_down(error):
                raise
            connection.close()
            raise StoreDown(str(error).strip()) from error

    return cast("Callable[Concatenate[PostgresStore, P], R]", call)


_UNDER_WAY = (RequestStatus.WAITING, RequestStatus.WORKING)


class PostgresStore:
    """Each calling thread has its own connection, which Django keeps by thread."""

    def __init__(self, holder: str, ttl: float) -> None:
        self.holder = holder
        self.ttl = ttl
        self.instance = str(InstanceSettings.objects.get(pk=1).instance_id)
        self._log_limit = HeededLimit()

    # --- leases ---

    @_or_down
    def acquire(self, names: Sequence[str], dead_holders: Sequence[str]) -> list[Fence]:
        return leases.acquire(names, self.holder, self.ttl, dead_holders)

    @_or_down
    def renew(self, held: Sequence[Fence]) -> set[str]:
        return leases.renew(held, self.holder, self.ttl)

    @_or_down
    def release(self, held: Sequence[Fence]) -> None:
        leases.release(held)

    # --- the queue ---

    @_or_down
    def sites(self) -> list[Site]:
        logins: dict[int, list[Credential]] = {}
        for c in RegistryCredential.objects.all():
            try:
                password = secrets.decrypt(bytes(c.secret)).decode()
            except secrets.SecretUnreadable as error:
                logger.error("the login to %s cannot be used: %s", c.registry, error)
                continue
            logins.setdefault(c.provider_id, []).append(
                Credential(c.registry, c.username, password)
            )
        return [
            Site(
                p.pk, p.name, p.kind, p.options, p.rev, p.lost_after_seconds,
                tuple(p.mount_allow_list),
                tuple(logins.get(p.pk, ())),
            )
            for p in Provider.objects.filter(deleted_at=None).order_by("pk")
        ]  # fmt: skip

    @_or_down
    def tend_queue(self, fence: Fence) -> LiveChanges:
        live = LiveChanges()
        ((is_due, is_too_long, is_classless),) = fetch("queue_chores")
        if is_due or is_too_long:
            with transaction.atomic():
                live.add_jobs(transitions.due(fence))
                live.add_jobs(transitions.expire(fence))
        if is_classless:
            give_classes()
        return live

    @_or_down
    def snapshot(self, depth: int = 32, deeper: Mapping[int, int] = ALL_ALIKE) -> Snapshot:
        return line.snapshot(depth, deeper)

    @_or_down
    def commit_plan(
        self, fence: Fence, plan: Plan, *, wake_hosts: bool = True
    ) -> tuple[int, LiveChanges]:
        live = LiveChanges()
        with transaction.atomic():
            placed = transitions.place(
                fence,
                [Placement(p.job, p.provider, p.provider_name, p.waiting)
                 for p in fitting_now(plan.placements)],
            )  # fmt: skip
            live.add_jobs(placed)
            live.resync = transitions.explain(
                fence, [Wait(w.waiting, w.reason, w.detail) for w in plan.waits]
            )
            yielding = [Yielding(g.job, g.key, g.to) for g in plan.give_way]
            live.add_jobs(transitions.yield_to(fence, yielding))
            if placed and wake_hosts:
                notify_engine("placed")
        return len(placed), live

    # --- attempts ---

    @_or_down
    def news(self, providers: Collection[int]) -> frozenset[Word]:
        (found,) = fetch("engine_news", {"providers": list(providers)})
        return frozenset(word for word, some in zip(get_args(Word), found, strict=True) if some)

    @_or_down
    def placed(self, providers: Collection[int], known: Collection[int] = ()) -> list[Order]:
        return live_attempts.placed_orders(providers, known, self.instance)

    @_or_down
    def live(self, provider: int) -> list[Order]:
        return live_attempts.live_orders(provider, self.instance)

    @_or_down
    def orders(self, attempts: Collection[int]) -> list[Order]:
        return live_attempts.orders_of(attempts, self.instance)

    @_or_down
    def wanted(self, provider: int) -> list[Wanted]:
        return live_attempts.wanted(provider)

    @_or_down
    def cancels(self, providers: Collection[int]) -> list[CancelWish]:
        rows = Job.objects.filter(
            cancel_requested_at__isnull=False,
            state__in=["scheduled", "running"],
            provider__in=providers,
            attempts__phase__in=sorted(LIVE_PHASES),
        ).values_list("attempts__pk", "cancel_requested_by", "cancel_requested_at")
        return [CancelWish(pk, by, at) for pk, by, at in rows if at is not None]

    @_or_down
    def apply(
        self, moves: Sequence[Move], live: LiveChanges | None, *, wake_scheduler: bool
    ) -> BatchResult:
        with transaction.atomic():
            result = transitions.apply(moves)
            if live is not None:
                live.add_jobs(result.jobs)
                notify_live(live)
            if wake_scheduler:
                notify_engine("jobs")
        return result

    @_or_down
    def phases(self, attempts: Collection[int]) -> dict[int, Phase]:
        rows = Attempt.objects.filter(pk__in=attempts).values_list("pk", "phase")
        return {pk: Phase(phase) for pk, phase in rows}

    @_or_down
    def append_logs(self, appends: Sequence[Append], measured: Sequence[Measured] = ()) -> set[int]:
        with transaction.atomic():
            if measured:
                stat_store.keep(measured, beside=appends)
            grown = log_store.append(appends)
            trim_all([a for a in appends if a.attempt in grown], self._log_limit.now())
            live = LiveChanges(logs={a.attempt: a.after.seq for a in appends if a.attempt in grown})
            if live:
                notify_live(live)
        return grown

    @_or_down
    def log_ends(self, attempts: Collection[int]) -> dict[int, int]:
        return dict(Attempt.objects.filter(pk__in=attempts).values_list("pk", "log_seq"))

    @_or_down
    def tell(self, live: LiveChanges) -> None:
        notify_live(live)

    @_or_down
    def progress(self, fence: Fence, attempt: int, progress: Mapping[str, Any]) -> None:
        with transaction.atomic():
            if not fenced({fence}):
                return
            Attempt.objects.filter(pk=attempt, phase=Phase.PULLING).update(
                progress=storable_values(progress)
            )
            with connection.cursor() as cursor:
                cursor.execute(
                    "UPDATE jobs_job SET rev = rev + 1 WHERE id ="
                    " (SELECT job_id FROM jobs_attempt WHERE id = %s)"
                    " RETURNING id, rev, project_id",
                    [attempt],
                )
                live = LiveChanges()
                live.add_jobs(JobChange(*row) for row in cursor.fetchall())
            notify_live(live)

    @_or_down
    def unseen(self, fence: Fence, attempts: Sequence[int], *, unseen: bool, why: str = "") -> None:
        with transaction.atomic():
            live = LiveChanges()
            live.add_jobs(transitions.sight(fence, attempts, unseen=unseen, why=why))
            if live:
                notify_live(live)

    @_or_down
    def leftovers(self, provider: int) -> list[Leftover]:
        rows = Attempt.objects.filter(provider=provider, to_remove=True)
        pages = rows.values_list("pk", "handle")[:500]
        return [Leftover(pk, handle) for pk, handle in pages if handle is not None]

    @_or_down
    def removed(self, fence: Fence, attempts: Sequence[int]) -> None:
        with transaction.atomic():
            if fenced({fence}):
                ledger.removed(attempts)

    @_or_down
    def not_removed(self, fence: Fence, attempt: int, why: str) -> None:
        with transaction.atomic():
            if fenced({fence}):
                ledger.not_removed(attempt, why)

    @_or_down
    def swept(self, fence: Fence, provider: int, thing: Owned, why: str) -> None:
        with transaction.atomic():
            if fenced({fence}):
                ledger.swept(provider, thing, why)

    @_or_down
    def strays_gone(self, fence: Fence, provider: int, present: Collection[str]) -> None:
        with transaction.atomic():
            if fenced({fence}):
                ledger.strays_gone(provider, present)

    @_or_down
    def live_uids(self, uids: Collection[str]) -> set[str]:
        return ledger.live_uids(uids)

    # --- providers ---

    @_or_down
    def save_probe(self, fence: Fence, provider: int, probe: Probe) -> None:
        with transaction.atomic():
            rev = probe_save(fence, provider, probe)
            if rev is not None:
                notify_live(LiveChanges(providers={provider: rev}))
                notify_engine("jobs")

    @_or_down
    def requests(self, providers: Collection[int]) -> list[Request]:
        rows = EngineRequest.objects.filter(
            provider__in=providers, status=RequestStatus.WAITING, deadline__gt=Now()
        ).order_by("pk")
        return [Request(r.pk, r.provider_id, r.kind, r.args) for r in rows]

    @_or_down
    def answer(
        self,
        fence: Fence,
        request: int,
        *,
        steps: Sequence[Mapping[str, Any]],
        result: Mapping[str, Any] | None,
        failed: bool,
    ) -> None:
        values: dict[str, Any] = {"steps": [storable_values(s) for s in steps]}
        if result is None:
            values["status"] = RequestStatus.WORKING
        else:
            values |= {
                "status": RequestStatus.FAILED if failed else RequestStatus.DONE,
                "result": storable_values(result),
                "finished_at": Now(),
            }
        with transaction.atomic():
            under_way = EngineRequest.objects.filter(pk=request, status__in=_UNDER_WAY)
            if fenced({fence}) and under_way.update(**values):
                notify_live(LiveChanges(requests={request}))

    def close(self) -> None:
        connection.close()
