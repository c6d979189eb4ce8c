"""Providers, their credentials, health, leases and requests in the admin."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Model, QuerySet
from django.forms.fields import InvalidJSONInput
from django.http import HttpRequest
from django.urls import reverse
from django.utils.safestring import SafeString

from projects.actor import Actor
from projects.admin_base import (
    GantryAdmin,
    NamedFields,
    ReadOnlyAdmin,
    TabularInline,
    admin_actor,
    badge,
    confirmed_action,
    pretty,
    word_filter,
)
from projects.errors import Invalid
from projects.strict import parse_strict
from providers.models import (
    EngineRequest,
    HealthSample,
    HealthState,
    Lease,
    Mode,
    Provider,
    RegistryCredential,
    RequestStatus,
    Stray,
)
from providers.options import checked_options
from providers.registry import FACTORIES
from providers.schemas import ProviderChange, ProviderIn
from providers.services import (
    MAX_PROVIDER_BYTES,
    credential_delete,
    credential_set,
    provider_create,
    provider_delete,
    provider_set_mode,
    provider_update,
)

_EDITABLE = [
    "name", "options", "mode", "labels", "mount_allow_list", "cpu_millis", "memory_mb", "gpus",
    "slots", "lost_after_seconds", "group", "strategy", "cost_per_hour",
]  # fmt: skip


class TypedJSON(forms.JSONField):
    """JSON as it was typed, which is shown again as it was, however little of it can be read."""

    def to_python(self, value: Any) -> Any:
        """Refuses also what the reader gives up on: too deep, or a number of too many digits."""
        try:
            return super().to_python(value)
        except (RecursionError, ValueError):
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid") from None

    def bound_data(self, data: Any, initial: Any) -> Any:
        """Not read for it: what is no text in the end, as half of a pair, could not be written."""
        return None if data is None else InvalidJSONInput(data)


class ProviderForm(forms.ModelForm):  # type: ignore[type-arg]
    """Refuses what the services would refuse, at the field they name."""

    class Meta:
        model = Provider
        fields = ["kind", *_EDITABLE]
        field_classes = dict.fromkeys(("options", "labels", "mount_allow_list"), TypedJSON)
        widgets = {"kind": forms.Select(choices=[(kind, kind) for kind in FACTORIES])}

    def values(self) -> dict[str, Any]:
        """The fields by name, as the services take them."""
        names = _EDITABLE if self.instance.pk else ["kind", *_EDITABLE]
        found = {name: self.cleaned_data[name] for name in names if name in self.cleaned_data}
        if found.get("cost_per_hour") is not None:
            found["cost_per_hour"] = float(found["cost_per_hour"])
        return found

    def clean(self) -> dict[str, Any]:
        """Checks all fields together."""
        cleaned = super().clean() or {}
        if self.errors:
            return cleaned
        values = self.values()
        kind = self.instance.kind if self.instance.pk else values["kind"]
        try:
            model = ProviderChange if self.instance.pk else ProviderIn
            parse_strict(model, values, most_bytes=MAX_PROVIDER_BYTES)
            checked_options(kind, values["options"])
        except Invalid as error:
            for problem in error.problems:
                field = problem.pointer.split("/")[1] if problem.pointer else None
                self.add_error(field if field in self.fields else None, problem.detail)
        return cleaned


class CredentialForm(forms.ModelForm):  # type: ignore[type-arg]
    """A registry login; its password goes in and never comes out."""

    password = forms.CharField(
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        max_length=16_384,
        strip=False,
        help_text="Never shown again.",
    )

    class Meta:
        model = RegistryCredential
        fields = ["registry", "username"]

    def validate_unique(self) -> None:
        """A login for a registry that has one replaces it."""

    def validate_constraints(self) -> None:
        """A login for a registry that has one replaces it."""


class CredentialInline(TabularInline):
    """Registry logins. To change one, add its registry again: the new one replaces it."""

    model = RegistryCredential
    form = CredentialForm
    formset = NamedFields
    extra = 0

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """A stored login is replaced, not edited."""
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Without the sealed passwords."""
        return super().get_queryset(request).defer("secret")


def _mode(mode: Mode, word: str) -> Any:
    def call(actor: Actor, pk: int) -> str:
        provider_set_mode(actor, pk, mode)
        return word

    return call


def _delete(actor: Actor, pk: int) -> str:
    provider_delete(actor, pk)
    return "deleted"


def _abandon(actor: Actor, pk: int) -> str:
    provider_delete(actor, pk, abandon=True)
    return "deleted"


@admin.register(Provider)
class ProviderAdmin(GantryAdmin):
    """Providers in service. What the probe found is read-only."""

    form = ProviderForm
    list_display = ["name", "kind", "mode_badge", "health_badge", "version", "probed_at"]
    list_filter = [word_filter("mode", Mode.values), word_filter("health", HealthState.values)]
    search_fields = ["name"]
    inlines = [CredentialInline]
    readonly_fields = [
        "mode_badge", "health_badge", "last_error", "last_error_at", "probed_at",
        "unreachable_since", "version", "facts_text", "found_cpu_millis", "found_memory_mb",
        "found_gpus", "disk_free_bytes", "disk_total_bytes", "clock_offset_ms",
    ]  # fmt: skip
    fieldsets = [
        (None, {"fields": ["name", "kind", "mode", "options"]}),
        ("Limits", {"fields": ["cpu_millis", "memory_mb", "gpus", "slots", "lost_after_seconds"]}),
        ("Placement", {"fields": ["group", "strategy", "cost_per_hour"]}),
        ("Placement", {"fields": ["labels", "mount_allow_list"]}),
        (
            "What the last probe found",
            {
                "fields": [
                    "health_badge", "last_error", "last_error_at", "probed_at",
                    "unreachable_since", "version", "found_cpu_millis", "found_memory_mb",
                    "found_gpus", "disk_free_bytes", "disk_total_bytes", "clock_offset_ms",
                    "facts_text",
                ]
            },
        ),
    ]  # fmt: skip
    actions = [
        confirmed_action(
            "activate", "Activate providers", _mode(Mode.ACTIVE, "active"), conflict="not changed"
        ),
        confirmed_action(
            "drain", "Drain providers", _mode(Mode.DRAINING, "draining"), conflict="not changed"
        ),
        confirmed_action(
            "deactivate",
            "Deactivate providers",
            _mode(Mode.INACTIVE, "inactive"),
            conflict="not changed",
        ),
        confirmed_action(
            "take_out",
            "Delete providers",
            _delete,
            conflict="kept: attempts are live there, or their containers are left",
        ),
        confirmed_action(
            "abandon",
            "Delete providers, with what is left on them",
            _abandon,
            conflict="kept: attempts are live there",
            warning="Containers of ended attempts that are still there stay there: nobody "
            "removes them any more.",
        ),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Those in service."""
        return super().get_queryset(request).filter(deleted_at__isnull=True)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """A provider's kind never changes."""
        return [*self.readonly_fields, "kind"] if obj else list(self.readonly_fields)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """The action does it, through the service."""
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Creates or changes it through the services."""
        actor = admin_actor(request)
        if change:
            values = {name: form.cleaned_data[name] for name in form.changed_data}
            provider_update(actor, obj.pk, values)
        else:
            obj.pk = provider_create(actor, **form.values()).pk

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """Credentials go through the services."""
        actor, provider_id = admin_actor(request), form.instance.pk
        formset.save(commit=False)
        for credential in formset.deleted_objects:
            credential_delete(actor, provider_id, credential.pk)
        for row in formset.forms:
            if row.has_changed() and not row.cleaned_data.get("DELETE"):
                names = ("registry", "username", "password")
                credential_set(actor, provider_id, **{n: row.cleaned_data[n] for n in names})

    def view_on_site(self, provider: Provider) -> str:
        """The provider's page."""
        return reverse("providers:detail", args=[provider.pk])

    @admin.display(description="mode", ordering="mode")
    def mode_badge(self, provider: Provider) -> SafeString | str:
        """The mode as a word with its colour."""
        return badge(provider.mode)

    @admin.display(description="health", ordering="health")
    def health_badge(self, provider: Provider) -> SafeString | str:
        """The health as a word with its colour."""
        return badge(provider.health)

    @admin.display(description="facts")
    def facts_text(self, provider: Provider) -> SafeString:
        """The facts on several lines."""
        return pretty(provider.facts)


@admin.register(Stray)
class StrayAdmin(ReadOnlyAdmin):
    """What carries our labels and belongs to no attempt, and could not be removed yet."""

    list_display = ["uid", "provider", "job", "attempt", "found_at", "removal_tries"]
    list_select_related = ["provider"]
    ordering = ["-id"]


@admin.register(HealthSample)
class HealthSampleAdmin(ReadOnlyAdmin):
    """The health history, newest first."""

    list_display = [
        "at",
        "provider",
        "health_badge",
        "running",
        "used_cpu_millis",
        "used_memory_mb",
    ]
    list_select_related = ["provider"]
    list_filter = [word_filter("health", HealthState.values)]
    ordering = ["-id"]

    @admin.display(description="health")
    def health_badge(self, sample: HealthSample) -> SafeString | str:
        """The health as a word with its colour."""
        return badge(sample.health)


@admin.register(Lease)
class LeaseAdmin(ReadOnlyAdmin):
    """Who plans the queue and who drives which provider."""

    list_display = ["name", "holder", "term", "acquired_at", "expires_at"]


@admin.register(EngineRequest)
class EngineRequestAdmin(ReadOnlyAdmin):
    """What was asked of engines, newest first."""

    list_display = ["id", "kind", "provider", "status_badge", "requested_by", "created_at"]
    list_select_related = ["provider", "requested_by"]
    list_filter = [word_filter("status", RequestStatus.values)]
    ordering = ["-id"]

    @admin.display(description="status", ordering="status")
    def status_badge(self, request: EngineRequest) -> SafeString | str:
        """The status as a word with its colour."""
        return badge(request.status)
