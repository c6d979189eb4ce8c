"""Projects, people, tokens, events and the instance's settings in the admin."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import User
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString

from projects.actor import Actor
from projects.admin_base import (
    GantryAdmin,
    NamedFields,
    ProjectFilter,
    ReadOnlyAdmin,
    TabularInline,
    admin_actor,
    badge,
    confirmed_action,
    pretty,
    word_filter,
)
from projects.events import Happening, record
from projects.members import membership_remove, membership_set
from projects.models import (
    LEAST_PATIENCE,
    ActorKind,
    ApiToken,
    Event,
    InstanceSettings,
    Membership,
    Project,
    Role,
)
from projects.services import project_create, project_rename, token_revoke


class MembershipInline(TabularInline):
    """Who belongs to a project, or where a person belongs; saved through the services."""

    model = Membership
    formset = NamedFields
    extra = 0
    exclude = ["created_at"]
    autocomplete_fields = ["user", "project"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Those in projects that this person may see, with both names, which each row shows."""
        rows = super().get_queryset(request).select_related("user", "project")
        ids = admin_actor(request).project_ids()
        return rows if ids is None else rows.filter(project__in=ids)


def save_memberships(request: HttpRequest, formset: Any) -> None:
    """Makes the edits of a membership inline through the services, which record them."""
    actor = admin_actor(request)
    formset.save(commit=False)
    for membership in formset.deleted_objects:
        membership_remove(actor, project=membership.project, user=membership.user)
    for membership, changed in formset.changed_objects:
        if {"project", "user"} & set(changed):
            before = Membership.objects.get(pk=membership.pk)
            membership_remove(actor, project=before.project, user=before.user)
    saved = [*formset.new_objects, *(membership for membership, _ in formset.changed_objects)]
    for membership in saved:
        role = Role(membership.role)
        membership_set(actor, project=membership.project, user=membership.user, role=role)


class PeopleAdmin(UserAdmin):  # type: ignore[type-arg]
    """Django's page for users, with the projects they belong to."""

    inlines = [MembershipInline]
    list_display = ["username", "email", "is_active", "is_staff", "is_superuser", "last_login"]
    readonly_fields = ["last_login", "date_joined"]
    show_full_result_count = False

    def get_inlines(self, request: HttpRequest, obj: Model | None) -> Any:
        """A person is made first and then given projects."""
        return self.inlines if obj else []

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """Memberships go through the services."""
        save_memberships(request, formset)


admin.site.unregister(User)
admin.site.register(User, PeopleAdmin)


@admin.register(Project)
class ProjectAdmin(GantryAdmin):
    """Projects and their members. A project with jobs cannot be deleted."""

    project_path = "pk"
    list_display = ["slug", "name", "created_at"]
    search_fields = ["slug", "name"]
    fields = ["slug", "name", "created_at"]
    readonly_fields = ["created_at"]
    inlines = [MembershipInline]

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        """The slug stays as it was made: jobs and addresses name it."""
        return ["slug", *self.readonly_fields] if obj else self.readonly_fields

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Made and renamed through the services, which record it."""
        if change:
            project_rename(admin_actor(request), obj.slug, {"name": form.cleaned_data["name"]})
        else:
            fields = {name: form.cleaned_data[name] for name in ("slug", "name")}
            obj.pk = project_create(admin_actor(request), fields).pk

    def view_on_site(self, project: Project) -> str:
        """The project's page."""
        return reverse("project", args=[project.slug])

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Only services end a project."""
        return False

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """Memberships go through the services."""
        save_memberships(request, formset)


def _revoke(actor: Actor, pk: int) -> str:
    token_revoke(actor, token_id=pk)
    return "revoked"


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnlyAdmin):
    """Tokens by their last characters. They are made by their owners and shown once."""

    list_display = ["name", "hint", "user", "created_at", "last_used_at", "expires_at", "standing"]
    list_select_related = ["user"]
    search_fields = ["name", "user__username"]
    fields = ["user", "name", "hint", "created_at", "expires_at", "last_used_at", "revoked_at"]
    actions = [
        confirmed_action("revoke", "Revoke tokens", _revoke, conflict="already revoked"),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """All tokens for superusers, their own for others; never the digest."""
        rows = super().get_queryset(request).defer("digest")
        actor = admin_actor(request)
        return rows if actor.is_superuser else rows.filter(user=actor.id)

    @admin.display(description="state")
    def standing(self, token: ApiToken) -> SafeString | str:
        """Whether it still opens anything."""
        if token.revoked_at:
            return badge("revoked")
        if token.expires_at and token.expires_at < timezone.now():
            return badge("expired")
        return badge("active")


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    """What happened, newest first. Append-only."""

    project_path = "project"
    list_display = [
        "id", "at", "type", "subject", "source", "target", "reason", "actor_name", "via",
    ]  # fmt: skip
    list_filter = [word_filter("actor_kind", ActorKind.values), ProjectFilter]
    ordering = ["-id"]
    search_fields = ["subject_id"]
    search_help_text = "The number of a job, provider, project or token."
    fields = [
        "at", "type", "subject", "project", "source", "target", "reason", "detail_text",
        "actor_kind", "actor_name", "via", "request_id",
    ]  # fmt: skip
    readonly_fields = ["subject", "detail_text"]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """By the subject's number; the index needs the kinds of subject as well."""
        term = search_term.strip()
        if not term:
            return queryset, False
        wanted = int(term) if term.isdecimal() and len(term) < 19 else 0
        kinds = ["job", "provider", "project", "token", "user", "instance"]
        return queryset.filter(subject_kind__in=kinds, subject_id=wanted), False

    @admin.display(description="subject")
    def subject(self, event: Event) -> str:
        """What it happened to."""
        return f"{event.subject_kind} {event.subject_id}"

    @admin.display(description="detail")
    def detail_text(self, event: Event) -> SafeString:
        """The detail on several lines."""
        return pretty(event.detail)


@admin.register(InstanceSettings)
class InstanceSettingsAdmin(GantryAdmin):
    """The one row of settings. Its identity is changed by a command only."""

    list_display = [
        "instance_id", "job_retention_days", "log_retention_days", "patience_seconds",
    ]  # fmt: skip
    fields = [
        "instance_id", "job_retention_days", "log_retention_days", "log_limit_bytes",
        "patience_seconds",
    ]  # fmt: skip
    readonly_fields = ["instance_id"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """There is one, from the first migration on."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """It stays."""
        return False

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """The shortest patience is told at its field."""
        if db_field.name == "patience_seconds":
            kwargs["min_value"] = LEAST_PATIENCE
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Saves what was changed, and records it."""
        settings = cast(InstanceSettings, obj)
        if form.changed_data:
            settings.save(update_fields=form.changed_data)
            changes = {n: [form.initial.get(n), getattr(settings, n)] for n in form.changed_data}
            happening = Happening("instance", 1, "instance.settings", detail={"changes": changes})
            record([happening], admin_actor(request))
