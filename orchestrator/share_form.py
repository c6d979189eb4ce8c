"""The form of a project's share. It only reads text; every rule is `projects/shares.py`'s, so
that page and API refuse the same things in the same words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.http import QueryDict

from projects.errors import FieldProblem
from projects.models import Project
from projects.shares import share_values

_WHOLE = {"invalid": "Write a whole number."}
_NUMBER = {"invalid": "Write a number."}


_MOST = 1e300  # far beyond any limit, and still a number when it is multiplied


class ShareForm(forms.Form):
    """Weight and limits; an empty limit is none. Memory is typed in GiB. The page sends back
    what it began with, so that who changes one limit leaves alone what somebody else has changed
    meanwhile."""

    weight = forms.IntegerField(
        error_messages={"required": "Write a number from 1 to 10,000."} | _WHOLE,
        help_text="200 gets twice what 100 gets.",
    )
    running = forms.IntegerField(label="Running jobs", required=False, error_messages=_WHOLE)
    cpu_cores = forms.FloatField(label="CPU", required=False, error_messages=_NUMBER)
    memory_gib = forms.FloatField(label="Memory", required=False, error_messages=_NUMBER)
    gpus = forms.IntegerField(label="GPUs", required=False, error_messages=_WHOLE)
    queued = forms.IntegerField(label="Waiting jobs", required=False, error_messages=_WHOLE)
    submits_per_minute = forms.IntegerField(
        label="Submits a minute", required=False, error_messages=_WHOLE
    )

    def __init__(self, data: QueryDict | None, project: Project) -> None:
        given = share_values(project)
        memory, cores = given.pop("memory_mb"), given["cpu_cores"]
        initial = given | {
            "cpu_cores": None if cores is None else f"{cores:.10g}",
            "memory_gib": None if memory is None else f"{memory / 1024:.10g}",
        }
        super().__init__(data, initial=initial, label_suffix="")
        for name, field in self.fields.items():
            field.localize = False
            field.show_hidden_initial = True
            number = "decimal" if name in ("cpu_cores", "memory_gib") else "numeric"
            field.widget = forms.TextInput(
                attrs={"class": "input", "inputmode": number, "autocomplete": "off"}
            )
            if name != "weight":
                field.widget.attrs["placeholder"] = "no limit"

    def changes(self) -> dict[str, Any]:
        """The fields that somebody changed, as the service takes them; of a form that does not
        say what it began with, all. Only of a valid one."""
        values = {
            name: value for name, value in self.cleaned_data.items() if self._is_changed(name)
        }
        if "memory_gib" in values:
            values["memory_mb"] = _mib(values.pop("memory_gib"))
        return values

    def _is_changed(self, name: str) -> bool:
        return name in self.changed_data or self[name].html_initial_name not in self.data

    def blame(self, problems: Sequence[FieldProblem]) -> list[str]:
        """Put the service's problems at their fields; those of no field are returned."""
        rest = []
        for problem in problems:
            name = problem.pointer.strip("/").replace("memory_mb", "memory_gib")
            if name in self.fields:
                self.add_error(name, problem.detail)
            else:
                rest.append(problem.detail)
        return rest


def _mib(gib: float | None) -> int | None:
    """What was typed is more than nothing where it is: less than a MiB is one."""
    if gib is None:
        return None
    return round(min(max(gib, -1.0), _MOST) * 1024) or (1 if gib > 0 else 0)
