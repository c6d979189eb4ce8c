"""Jobs, attempts and log chunks in the admin: all read-only; actions call the services."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from jobs.acts import job_release
from jobs.models import Attempt, Job, LogChunk, StatPage
from jobs.reasons import reason_text
from jobs.services import job_cancel, job_force_finish, job_rerun
from jobs.stat_pages import unpack
from jobs.states import JobState, Outcome, Phase
from projects.actor import Actor
from projects.admin_base import (
    ProjectFilter,
    ReadOnlyAdmin,
    ReadOnlyInline,
    badge,
    confirmed_action,
    pretty,
    word_filter,
)

_BULKY = ("handle", "progress", "log_cursor", "log_archive")


def _cancel(actor: Actor, pk: int) -> str:
    job = job_cancel(actor, job_id=pk)
    return "cancelled" if job.state == JobState.CANCELLED else "told to stop"


def _force_finish(actor: Actor, pk: int) -> str:
    job_force_finish(actor, job_id=pk)
    return "ended as lost"


def _release(actor: Actor, pk: int) -> str:
    job_release(actor, job_id=pk)
    return "released"


def _rerun(actor: Actor, pk: int) -> str:
    job_rerun(actor, job_id=pk)
    return "submitted again"


class AttemptInline(ReadOnlyInline):
    """A job's attempts below it."""

    model = Attempt
    ordering = ["number"]
    readonly_fields = [
        "number", "provider", "phase", "outcome", "why", "exit_code", "started_at",
        "finished_at", "log_lines",
    ]  # fmt: skip
    fields = [*readonly_fields]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Without the large columns."""
        return super().get_queryset(request).select_related("provider").defer(*_BULKY)

    @admin.display(description="reason")
    def why(self, attempt: Attempt) -> str:
        """The reason in plain words."""
        return reason_text(attempt.reason, attempt.reason_detail)


@admin.register(Job)
class JobAdmin(ReadOnlyAdmin):
    """The jobs of all projects that this person may see, newest first."""

    project_path = "project"
    list_display = [
        "id", "name", "page", "state_badge", "why", "project", "provider", "submitted_by",
        "created_at",
    ]  # fmt: skip
    list_display_links = ["id", "name"]
    list_select_related = ["project", "provider", "submitted_by", "queue_class"]
    list_filter = [word_filter("state", JobState), ProjectFilter]
    ordering = ["-id"]
    search_fields = ["name"]
    search_help_text = "A job's number, or the beginning of its name."
    inlines = [AttemptInline]
    readonly_fields = ["state_badge", "why", "spec_text"]
    fieldsets = [
        (None, {"fields": ["name", "project", "state_badge", "why", "exit_code", "provider"]}),
        ("Spec", {"fields": ["image", "priority", "cpu_millis", "memory_mb", "gpus", "spec_text"]}),
        (
            "Times",
            {
                "fields": [
                    "created_at", "queued_at", "not_before", "started_at", "finished_at",
                    "cancel_requested_at", "cancel_requested_by",
                ]
            },
        ),
        (
            "Where it came from",
            {"fields": ["submitted_by", "submitted_via", "rerun_of", "attempt", "charged", "rev"]},
        ),
    ]  # fmt: skip
    actions = [
        confirmed_action("cancel", "Cancel jobs", _cancel, conflict="already finished"),
        confirmed_action("rerun", "Run jobs again", _rerun, conflict="not submitted"),
        confirmed_action("release", "Release held jobs", _release, conflict="not held"),
        confirmed_action(
            "force_finish",
            "Force-finish jobs out of sight",
            _force_finish,
            conflict="not out of sight",
            warning="Their programs may still run on providers that do not answer now; what "
            "is found there later is removed. What is missing of their logs stays missing.",
        ),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Without the sealed secrets, which the admin never reads."""
        return super().get_queryset(request).defer("secrets", "idempotency_digest")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """By number, or by the beginning of the name: both have an index."""
        term = search_term.strip()
        if not term:
            return queryset, False
        found = Q(name__startswith=term)
        if term.isdecimal() and len(term) < 19:
            found |= Q(pk=int(term))
        return queryset.filter(found), False

    def view_on_site(self, job: Job) -> str:
        """The job's page."""
        return reverse("jobs:detail", args=[job.pk])

    @admin.display(description="state", ordering="state")
    def state_badge(self, job: Job) -> SafeString | str:
        """The state as a word with its colour."""
        return badge(job.state)

    @admin.display(description="reason")
    def why(self, job: Job) -> str:
        """The reason in plain words."""
        return reason_text(*job.told)

    @admin.display(description="page")
    def page(self, job: Job) -> SafeString:
        """A link to the job's page."""
        return format_html('<a href="{}">Open ↗</a>', self.view_on_site(job))

    @admin.display(description="spec")
    def spec_text(self, job: Job) -> SafeString:
        """The spec as submitted, secrets by name only."""
        return pretty(job.spec)


@admin.register(Attempt)
class AttemptAdmin(ReadOnlyAdmin):
    """Attempts, newest first, with what their driver and the log keep about them."""

    project_path = "job__project"
    list_display = [
        "id", "job", "number", "phase_badge", "outcome_badge", "why", "provider", "placed_at",
        "ended_at", "log_lines",
    ]  # fmt: skip
    list_select_related = ["job", "provider"]
    list_filter = [word_filter("phase", Phase), word_filter("outcome", Outcome), ProjectFilter]
    ordering = ["-id"]
    search_fields = ["=job__id"]
    search_help_text = "A job's number."
    readonly_fields = ["phase_badge", "outcome_badge", "why", "chunks"]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    "job", "number", "uid", "provider", "term", "phase_badge", "outcome_badge",
                    "why", "exit_code",
                ]
            },
        ),
        ("Resources", {"fields": ["cpu_millis", "memory_mb", "gpus"]}),
        (
            "Times",
            {
                "fields": [
                    "placed_at", "pulling_at", "creating_at", "starting_at", "running_at",
                    "finishing_at", "ended_at", "started_at", "finished_at", "not_seen_since",
                ]
            },
        ),
        (
            "On the engine",
            {"fields": ["handle", "removed_at", "removal_tries", "removal_error"]},
        ),
        (
            "Log",
            {
                "fields": [
                    "log_complete", "log_note", "log_lines", "log_stdout_bytes",
                    "log_stderr_bytes", "log_seq", "log_archived_seq", "chunks",
                ]
            },
        ),
        ("Driver", {"fields": ["progress", "log_cursor"]}),
    ]  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Without the archive's index, which can be long."""
        return super().get_queryset(request).defer("log_archive")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """By the job's number."""
        term = search_term.strip()
        if not term:
            return queryset, False
        wanted = int(term) if term.isdecimal() and len(term) < 19 else 0
        return queryset.filter(job=wanted), False

    def view_on_site(self, attempt: Attempt) -> str:
        """The job's page."""
        return reverse("jobs:detail", args=[attempt.job_id])

    @admin.display(description="phase", ordering="phase")
    def phase_badge(self, attempt: Attempt) -> SafeString | str:
        """The phase as a word with its colour."""
        return badge(attempt.phase)

    @admin.display(description="outcome", ordering="outcome")
    def outcome_badge(self, attempt: Attempt) -> SafeString | str:
        """The outcome as a word with its colour."""
        return badge(attempt.outcome)

    @admin.display(description="reason")
    def why(self, attempt: Attempt) -> str:
        """The reason in plain words."""
        return reason_text(attempt.reason, attempt.reason_detail)

    @admin.display(description="chunks in the table")
    def chunks(self, attempt: Attempt) -> SafeString:
        """A link to them."""
        url = reverse("admin:jobs_logchunk_changelist") + f"?attempt__id__exact={attempt.pk}"
        return format_html('<a href="{}">Log chunks not yet archived</a>', url)


@admin.register(LogChunk)
class LogChunkAdmin(ReadOnlyAdmin):
    """What of the logs stands in the table, without the text: that is on the job's page."""

    project_path = "attempt__job__project"
    list_display = [
        "id", "attempt", "seq", "first_line", "lines", "first_at", "last_at", "codec",
    ]  # fmt: skip
    list_select_related = ["attempt"]
    ordering = ["attempt_id", "seq"]
    fields = [
        "attempt", "seq", "first_line", "lines", "first_at", "last_at", "stdout_offset",
        "stderr_offset", "crc32", "codec",
    ]  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Without the bodies and what hangs on their attempts."""
        bulky = [f"attempt__{column}" for column in _BULKY]
        return super().get_queryset(request).select_related("attempt").defer("body", *bulky)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """The attempt's page links here."""
        return lookup == "attempt__id__exact" or super().lookup_allowed(lookup, value, request)  # type: ignore[arg-type]


@admin.register(StatPage)
class StatPageAdmin(ReadOnlyAdmin):
    """What attempts used, ten minutes a row; the chart is on the job's page."""

    project_path = "attempt__job__project"
    list_display = ["id", "attempt", "page", "readings"]
    list_select_related = ["attempt"]
    ordering = ["attempt_id", "page"]
    fields = ["attempt", "page", "readings"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Without what hangs on their attempts."""
        bulky = [f"attempt__{column}" for column in _BULKY]
        return super().get_queryset(request).select_related("attempt").defer(*bulky)

    @admin.display(description="readings")
    def readings(self, page: StatPage) -> int:
        """How many there are on it."""
        return len(unpack(page.page, bytes(page.body)))
