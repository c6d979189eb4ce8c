"""What Gantry's admin pages share: whose rows, how many, and actions that ask first.

The admin is for looking into the tables and for the rare repair. It changes nothing that
a service would not change: what engines own is read-only, and every save and action calls
the services that pages and API call, as the signed-in person.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.auth.models import User
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.forms.models import BaseInlineFormSet as DjangoInlineFormSet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from projects.actor import Actor, actor_of
from projects.errors import Conflict, Forbidden, GantryError, NotFound
from projects.selectors import projects_of

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
    TabularInline = admin.TabularInline[Any, Any]
    AnyPaginator = Paginator[Any]
    BaseInlineFormSet = DjangoInlineFormSet[Any, Any, Any]
else:
    BaseInlineFormSet = DjangoInlineFormSet
    AnyPaginator = Paginator
    ModelAdmin = admin.ModelAdmin
    TabularInline = admin.TabularInline

MOST_ROWS = 10_000
MOST_AT_ONCE = 1000


class CappedPaginator(AnyPaginator):
    """Counts no further than MOST_ROWS, so that no page of a large table reads all of it.

    What is older is found by search and filters.
    """

    @cached_property
    def count(self) -> int:
        """Rows, or MOST_ROWS where there are more."""
        found = cast("QuerySet[Any]", self.object_list)
        return int(found.order_by()[:MOST_ROWS].count())


class GantryAdmin(ModelAdmin):
    """A table in the admin. `project_path` is the lookup from its rows to their project;
    people who are not superusers see the rows of their own projects only."""

    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER  # they cost a count per option
    paginator = CappedPaginator
    list_per_page = 50
    project_path: str | None = None

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """The rows that this person may see."""
        rows = super().get_queryset(request)
        ids = admin_actor(request).project_ids()
        if self.project_path is None or ids is None:
            return rows
        return rows.filter(**{f"{self.project_path}__in": ids})

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """A refusal by a service is shown in its words, and nothing is saved."""
        try:
            return super().changeform_view(request, *args, **kwargs)
        except GantryError as error:
            self.message_user(request, str(error), messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Whether the actions are offered; the services check each row again."""
        return bool(request.user.has_perm(f"{self.opts.app_label}.change_{self.opts.model_name}"))


class ReadOnlyAdmin(GantryAdmin):
    """A table that only engines and services write."""

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        """Nobody adds rows here."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody edits rows here."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody deletes rows here."""
        return False


class NamedFields(BaseInlineFormSet):
    """Rows whose fields each carry their name: the heading of a column is none to a screen
    reader."""

    def add_fields(self, form: Any, index: int | None) -> None:
        """Names every field of a row, that which deletes it too."""
        super().add_fields(form, index)
        for name, field in form.fields.items():
            words = field.label or name.replace("_", " ")
            field.widget.attrs.setdefault("aria-label", words)


class ReadOnlyInline(TabularInline):
    """Rows of another table that are shown below a record."""

    extra = 0
    can_delete = False
    show_change_link = True

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody adds rows here."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody edits rows here."""
        return False


class ProjectFilter(admin.SimpleListFilter):
    """Filter by project, offering only those that this person may see."""

    title = "project"
    parameter_name = "project"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The person's projects."""
        self._path = model_admin.project_path
        return [(str(project.pk), project.slug) for project in projects_of(admin_actor(request))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The rows of the chosen project."""
        value = self.value()
        if not (value and value.isdecimal()):
            return queryset
        return queryset.filter(**{self._path: int(value)})


def word_filter(column: str, words: Iterable[str]) -> type[admin.SimpleListFilter]:
    """A filter by one of a fixed set of words, without asking the table which occur."""
    choices = [(str(word), str(word)) for word in words]

    class WordFilter(admin.SimpleListFilter):
        title = column.replace("_", " ")
        parameter_name = column

        def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
            return choices

        def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
            return queryset.filter(**{column: self.value()}) if self.value() else queryset

    return WordFilter


def admin_actor(request: HttpRequest) -> Actor:
    """The signed-in person; asked for once per request."""
    known = getattr(request, "_gantry_actor", None)
    if known is None:
        request_id = str(getattr(request, "request_id", ""))
        known = actor_of(cast(User, request.user), via="admin", request_id=request_id)
        request._gantry_actor = known  # type: ignore[attr-defined]
    return cast(Actor, known)


def badge(word: str) -> SafeString | str:
    """A state as a word with its colour; empty stays empty."""
    if not word:
        return ""
    return format_html('<span class="state state-{}">{}</span>', word, word)


def pretty(value: object) -> SafeString:
    """A JSON value on several lines."""
    return format_html(
        '<pre class="json">{}</pre>', json.dumps(value, indent=2, ensure_ascii=False)
    )


def confirmed_action(
    name: str,
    label: str,
    call: Callable[[Actor, int], str],
    *,
    conflict: str,
    warning: str = "",
) -> Callable[[Any, HttpRequest, QuerySet[Any]], HttpResponse | None]:
    """An admin action that asks first, calls a service for each row and counts the answers.

    `call` does it and returns what happened as a word ("cancelled"); `conflict` is the word
    for rows in which it could not be done ("already finished"). `warning` is what to know
    before confirming.
    """

    def action(
        model_admin: Any, request: HttpRequest, queryset: QuerySet[Any]
    ) -> HttpResponse | None:
        rows = list(queryset[: MOST_AT_ONCE + 1])
        if len(rows) > MOST_AT_ONCE:
            words = f"Select at most {MOST_AT_ONCE:,} at once; nothing was done."
            model_admin.message_user(request, words, messages.ERROR)
            return None
        if request.POST.get("confirmed") != "yes":
            return _question(model_admin, request, name, label, rows, warning)
        answers = Counter(_answer(call, admin_actor(request), row.pk, conflict) for row in rows)
        refused = {conflict, *_REFUSALS.values()}
        words = ", ".join(
            f"{count:,} {word}"
            for word, count in sorted(answers.most_common(), key=lambda item: item[0] in refused)
        )
        done = answers.keys() - refused
        model_admin.message_user(request, words, messages.SUCCESS if done else messages.WARNING)
        return None

    action.__name__ = name
    action.short_description = label  # type: ignore[attr-defined]
    action.allowed_permissions = ["operate"]  # type: ignore[attr-defined]
    return action


_REFUSALS: dict[type[GantryError], str] = {Forbidden: "not permitted", NotFound: "not found"}


def _answer(call: Callable[[Actor, int], str], actor: Actor, pk: int, conflict: str) -> str:
    try:
        return call(actor, pk)
    except Conflict:
        return conflict
    except (Forbidden, NotFound) as error:
        return _REFUSALS[type(error)]
    except GantryError as error:
        return f"refused: {error}"


def _question(
    model_admin: Any,
    request: HttpRequest,
    name: str,
    label: str,
    rows: Sequence[Model],
    warning: str,
) -> TemplateResponse:
    context = {
        **model_admin.admin_site.each_context(request),
        "title": f"{label}?",
        "opts": model_admin.opts,
        "media": model_admin.media,
        "action": name,
        "label": label,
        "warning": warning,
        "rows": rows,
        "shown": rows[:20],
        "more": max(0, len(rows) - 20),
        "checkbox": ACTION_CHECKBOX_NAME,
    }
    return TemplateResponse(request, "admin/confirm_action.html", context)
