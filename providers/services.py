"""Managing providers: each change is one transaction with its event and its notice.

Only operators (staff and superusers) may; everybody else gets Forbidden. Fields arrive by
name and are checked here, so that API, form and admin are refused in the same words.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any, Literal

from django.db import IntegrityError, transaction
from django.db.models import F
from django.db.models.functions import Now

from projects.actor import Actor
from projects.errors import Conflict, FieldProblem, Forbidden, Invalid, NotFound
from projects.events import Happening, record
from projects.notify import LiveChanges, notify_engine, notify_live
from projects.secrets import encrypt
from projects.strict import parse_strict
from providers.models import EngineRequest, Mode, Provider, RegistryCredential
from providers.options import checked_options
from providers.schemas import CredentialIn, ProviderChange, ProviderIn
from providers.selectors import left_over_count, provider_get

MAX_PROVIDER_BYTES = 64 * 1024
_DEADLINES = {
    "probe": timedelta(seconds=30),
    "test": timedelta(seconds=180),
    "sweep": timedelta(seconds=60),
}
_COST = Decimal("0.0001")
RequestKind = Literal["probe", "test", "sweep"]


def provider_create(actor: Actor, /, **fields: Any) -> Provider:
    """Register a provider; `fields` are those of `ProviderIn`.

    Raises Invalid, Conflict (the name is taken), Forbidden.
    """
    _must_operate(actor)
    new = parse_strict(ProviderIn, fields, most_bytes=MAX_PROVIDER_BYTES)
    values = new.model_dump() | {"options": checked_options(new.kind, new.options)}
    with transaction.atomic():
        values = _as_its_group(values, "strategy" in fields)
        provider = _saved(Provider(**values, rev=1))
        _fill_alike(provider)
        _tell(actor, provider, "provider.created", detail={"kind": new.kind})
    return provider


def provider_update(actor: Actor, provider_id: int, fields: dict[str, Any]) -> Provider:
    """Change the fields that are there (of `ProviderChange`) and leave the others.

    Raises Invalid, Conflict (the name is taken), Forbidden, NotFound.
    """
    _must_operate(actor)
    with transaction.atomic():
        provider = _locked(actor, provider_id)
        values = _checked(provider, fields)
        if values.get("group"):
            values = _as_its_group(values, "strategy" in values)
        changed = sorted(name for name, new in values.items() if getattr(provider, name) != new)
        if not changed:
            return provider
        mode = provider.mode
        # How it is reached is for operators alone, and events are for all who see it.
        told = {n: [_plain(getattr(provider, n)), _plain(values[n])] for n in changed
                if n != "options"}  # fmt: skip
        for name in changed:
            setattr(provider, name, values[name])
        provider.rev += 1
        _saved(provider, update_fields=[*changed, "rev"])
        if {"group", "strategy"} & set(changed):
            _fill_alike(provider)
        if changed == ["mode"]:
            _tell(actor, provider, "provider.mode", source=mode, target=provider.mode)
        else:
            detail = {"fields": changed, "changes": told}
            _tell(actor, provider, "provider.updated", detail=detail)
    return provider


def provider_changed(actor: Actor, provider_id: int, fields: dict[str, Any]) -> Provider:
    """The provider as it would be after that change; nothing is written. Raises as
    `provider_update` does, but for a name that is taken."""
    _must_operate(actor)
    provider = provider_get(actor, provider_id)
    for name, value in _checked(provider, fields).items():
        setattr(provider, name, value)
    return provider


def provider_set_mode(actor: Actor, /, provider_id: int, mode: Mode) -> Provider:
    """Activate, drain or deactivate; asking for what is so already changes nothing."""
    return provider_update(actor, provider_id, {"mode": mode.value})


def provider_delete(actor: Actor, /, provider_id: int, *, abandon: bool = False) -> None:
    """Take a provider out of service for good; its history stays.

    Raises Conflict while attempts are live on it, or while something of ours is left on its
    engine, unless that is to be abandoned there; Forbidden, NotFound.
    """
    _must_operate(actor)
    with transaction.atomic():
        provider = _locked(actor, provider_id)
        live = provider.attempts.filter(ended_at=None).count()
        if live:
            raise Conflict(
                f"{live} attempt{'s are' if live > 1 else ' is'} live on {provider.name}. "
                "Drain it and wait, or cancel them."
            )
        left = left_over_count(provider.pk)
        if left and not abandon:
            raise Conflict(
                f"{left} container{'s' if left > 1 else ''} of ended attempts on {provider.name} "
                f"{'are' if left > 1 else 'is'} not removed yet; see its left-overs. Nobody "
                "removes them once it is deleted: wait, or abandon them there."
            )
        provider.credentials.all().delete()
        Provider.objects.filter(pk=provider.pk).update(
            deleted_at=Now(), mode=Mode.INACTIVE, rev=F("rev") + 1
        )
        provider.rev += 1
        _tell(actor, provider, "provider.deleted", detail={"abandoned": left} if left else {})


def provider_request(
    actor: Actor, /, provider_id: int, kind: RequestKind, args: dict[str, Any] | None = None
) -> EngineRequest:
    """Ask the engine process of a provider for a probe or a test; the answer is in the row.

    While the same question is open it is not asked twice: the open one is returned.
    """
    _must_operate(actor)
    with transaction.atomic():
        provider = _locked(actor, provider_id)
        waiting = provider.requests.filter(
            kind=kind, args=args or {}, status="waiting", deadline__gt=Now()
        ).first()
        if waiting is not None:
            return waiting
        request = EngineRequest.objects.create(
            provider=provider,
            kind=kind,
            args=args or {},
            requested_by_id=actor.id,
            deadline=Now() + _DEADLINES[kind],
        )
        request.refresh_from_db()
        notify_live(LiveChanges(requests={request.pk}))
        notify_engine("requests")
    return request


def credential_set(actor: Actor, /, provider_id: int, **fields: Any) -> RegistryCredential:
    """Keep a registry login, replacing the one for the same registry. See `CredentialIn`."""
    _must_operate(actor)
    new = parse_strict(CredentialIn, fields, most_bytes=MAX_PROVIDER_BYTES)
    with transaction.atomic():
        provider = _locked(actor, provider_id)
        credential, _ = RegistryCredential.objects.update_or_create(
            provider=provider,
            registry=new.registry,
            defaults={
                "username": new.username,
                "secret": encrypt(new.password.encode()),
                "updated_at": Now(),
            },
        )
        _changed(actor, provider, "credential.set", {"registry": new.registry})
    return credential


def credential_delete(actor: Actor, /, provider_id: int, credential_id: int) -> None:
    """Forget a registry login. Raises NotFound when this provider has none of that id."""
    _must_operate(actor)
    with transaction.atomic():
        provider = _locked(actor, provider_id)
        credential = provider.credentials.filter(pk=credential_id).first()
        if credential is None:
            raise NotFound(f"{provider.name} has no such credential.")
        credential.delete()
        _changed(actor, provider, "credential.deleted", {"registry": credential.registry})


def _must_operate(actor: Actor) -> None:
    if not actor.may_operate:
        raise Forbidden("Only operators (staff) manage providers.")


def _checked(provider: Provider, fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of a change, proved right for this provider. Raises Invalid."""
    change = parse_strict(ProviderChange, fields, most_bytes=MAX_PROVIDER_BYTES)
    values = change.model_dump(exclude_unset=True)
    if "options" in values:
        values["options"] = checked_options(provider.kind, values["options"])
    if values.get("cost_per_hour") is not None:
        values["cost_per_hour"] = Decimal(str(values["cost_per_hour"])).quantize(_COST)
    return values


def _plain(value: Any) -> Any:
    """As JSON has it."""
    return float(value) if isinstance(value, Decimal) else value


def _as_its_group(values: dict[str, Any], told: bool) -> dict[str, Any]:
    """With the strategy of the group that it joins, unless one was `told`."""
    others = Provider.objects.filter(group=values["group"], deleted_at__isnull=True)
    theirs = None if told or not values["group"] else others.values_list("strategy").first()
    return values if theirs is None else values | {"strategy": theirs[0]}


def _fill_alike(provider: Provider) -> None:
    """The others of its group are filled as it is."""
    if provider.group:
        Provider.objects.filter(group=provider.group, deleted_at__isnull=True).exclude(
            strategy=provider.strategy
        ).update(strategy=provider.strategy, rev=F("rev") + 1)


def _locked(actor: Actor, provider_id: int) -> Provider:
    """The provider, its row locked until the transaction ends."""
    provider_get(actor, provider_id)
    return Provider.objects.select_for_update().get(pk=provider_id)


def _saved(provider: Provider, update_fields: list[str] | None = None) -> Provider:
    """Write the row; a taken name is a Conflict."""
    try:
        with transaction.atomic():
            provider.save(update_fields=update_fields)
    except IntegrityError as error:
        if Provider.objects.filter(name=provider.name).exclude(pk=provider.pk).exists():
            raise Conflict(f"There is already a provider named {provider.name!r}.") from None
        raise Invalid([FieldProblem("", "The database refused these values.")]) from error
    return provider


def _changed(actor: Actor, provider: Provider, event: str, detail: dict[str, Any]) -> None:
    provider.rev += 1
    provider.save(update_fields=["rev"])
    _tell(actor, provider, event, detail=detail)


def _tell(
    actor: Actor,
    provider: Provider,
    event: str,
    *,
    source: str = "",
    target: str = "",
    detail: dict[str, Any] | None = None,
) -> None:
    """The event row and the notices of one change."""
    happening = Happening("provider", provider.pk, event, None, source, target, "", detail or {})
    record([happening], actor)
    notify_live(LiveChanges(providers={provider.pk: provider.rev}))
    notify_engine("providers")
