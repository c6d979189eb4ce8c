"""The providers as their engine process last saw them: health, disk, clock, left-overs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from django.utils import timezone

from jobs.left_overs import left_overs
from orchestrator.doctor.finding import Finding, ok, problem, warning
from projects.actor import SYSTEM
from projects.quantities import bytes_text, duration_text
from providers.fit import LOW_DISK_BYTES, LOW_DISK_SHARE, UNWATCHED
from providers.models import HealthState, Mode, Provider

CHECK = "engines"
CLOCK_APART_MS = 2000


def look() -> Iterator[Finding]:
    """Every provider that is in service."""
    providers = list(Provider.objects.filter(deleted_at=None).order_by("name"))
    if not any(provider.mode == Mode.ACTIVE for provider in providers):
        yield warning(
            CHECK,
            "No provider takes new jobs.",
            "Add one, or activate one, on the page Providers.",
        )
    for provider in providers:
        found = [*_health(provider), *_disk(provider), *_clock(provider), *_left(provider)]
        yield from found or [ok(CHECK, f"{provider.name} is healthy.")]


def _health(provider: Provider) -> Iterator[Finding]:
    name = provider.name
    if provider.health == HealthState.UNREACHABLE:
        since = provider.unreachable_since
        when = f" since {since:%Y-%m-%d %H:%M:%S} UTC" if since else ""
        yield problem(
            CHECK,
            f"{name} does not answer{when}: {provider.last_error or 'no reason is known'}",
            "Bring the engine back; it is looked at every few seconds and what ran there is "
            "taken up again. If it never comes back, force-finish its jobs.",
        )
    elif provider.probed_at is None:
        yield warning(CHECK, f"{name} was never looked at.", "See who drives it, under leases.")
    elif timezone.now() - provider.probed_at > UNWATCHED:
        ago = duration_text((timezone.now() - provider.probed_at).total_seconds())
        yield problem(
            CHECK,
            f"{name} was last looked at {ago} ago.",
            "It gets no new jobs until an engine process looks again: see leases.",
        )
    elif provider.health == HealthState.DEGRADED:
        yield warning(CHECK, f"{name} is degraded: {provider.last_error}", "See its page.")


def _disk(provider: Provider) -> Iterator[Finding]:
    free, total = provider.disk_free_bytes, provider.disk_total_bytes
    if free is None or total is None:
        return
    if free < max(LOW_DISK_BYTES, total * LOW_DISK_SHARE):
        yield problem(
            CHECK,
            f"{provider.name} has {bytes_text(free)} of disk left.",
            "It gets no new jobs. Remove images that nobody needs, on the engine's machine.",
        )


def _clock(provider: Provider) -> Iterator[Finding]:
    offset = provider.clock_offset_ms
    if offset is not None and abs(offset) > CLOCK_APART_MS:
        apart = duration_text(timedelta(milliseconds=abs(offset)).total_seconds())
        yield warning(
            "clocks",
            f"The clock of {provider.name} is {apart} {'ahead' if offset > 0 else 'behind'}.",
            "Let that machine follow NTP. Run times are still right; log times are off.",
        )


def _left(provider: Provider) -> Iterator[Finding]:
    if left := len(left_overs(SYSTEM, provider.pk)):
        yield warning(
            CHECK,
            f"{left} container{'s' if left > 1 else ''} of ended jobs "
            f"{'are' if left > 1 else 'is'} still on {provider.name}.",
            f"/left-overs?provider={provider.pk} says why, and tries again.",
        )
