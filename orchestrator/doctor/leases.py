"""Who plans and who drives: leases, and whether their holders are alive."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import BooleanField, Case, Q, When
from django.db.models.functions import Now

from orchestrator.doctor.finding import Finding, ok, problem
from providers.leases import SCHEDULER, provider_lease
from providers.models import Lease, Provider

CHECK = "leases"


def look() -> Iterator[Finding]:
    """Whether the queue is planned, and every provider driven."""
    live = Q(expires_at__gt=Now()) & ~Q(holder="")
    rows = Lease.objects.annotate(
        alive=Case(When(live, then=True), default=False, output_field=BooleanField())
    )
    leases = {lease.name: lease for lease in rows}
    alive = {name for name, lease in leases.items() if lease.alive}
    if not alive:
        known = max((one.expires_at for one in leases.values()), default=None)
        since = f" since {known:%Y-%m-%d %H:%M:%S} UTC" if known else ""
        yield problem(
            CHECK,
            f"No engine process is alive{since}: nothing is planned, started or watched.",
            "Start one: make up, or manage.py orchestrate. Programs that run go on meanwhile.",
        )
        return
    if SCHEDULER not in alive:
        yield problem(
            CHECK,
            "Engine processes are alive, but none plans the queue.",
            "Look into the log of manage.py orchestrate; restart it.",
        )
    else:
        lease = leases[SCHEDULER]
        yield ok(CHECK, f"{lease.holder} plans the queue (term {lease.term}).")
    for provider in Provider.objects.filter(deleted_at=None).order_by("name"):
        own = leases.get(provider_lease(provider.pk))
        if own is None or own.name not in alive:
            yield problem(
                CHECK,
                f"Nobody drives {provider.name}.",
                "An engine process takes it within seconds unless it cannot: look into the log "
                "of manage.py orchestrate.",
            )
        elif SCHEDULER not in alive or own.holder != leases[SCHEDULER].holder:
            yield ok(CHECK, f"{own.holder} drives {provider.name} (term {own.term}).")
