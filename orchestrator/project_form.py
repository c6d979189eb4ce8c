"""The form of a new project. It only reads text; every rule is `projects/services.py`'s."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.http import QueryDict

from projects.errors import FieldProblem


class ProjectForm(forms.Form):
    """What it is called, and who is its first admin; empty fields are left to the service."""

    slug = forms.CharField(
        label="Short name",
        required=False,
        help_text="Letters, digits, - and _: what jobs name and addresses have. It stays as it is.",
    )
    name = forms.CharField(label="Name", required=False, help_text="Empty: its short name.")
    admin = forms.CharField(
        label="Its first admin", required=False, help_text="A user name; empty: you."
    )

    def __init__(self, data: QueryDict | None = None) -> None:
        super().__init__(data, label_suffix="", auto_id="project-%s")
        for field in self.fields.values():
            field.widget.attrs |= {
                "class": "input", "autocomplete": "off", "autocapitalize": "off",
                "spellcheck": "false",
            }  # fmt: skip

    def fields_given(self) -> dict[str, Any]:
        """The fields as the service takes them."""
        typed = {name: text for name, text in self.cleaned_data.items() if text}
        return {"slug": ""} | typed

    def blame(self, problems: Sequence[FieldProblem]) -> None:
        """Put the service's problems at their fields; those of no field stand above."""
        for problem in problems:
            name = problem.pointer.strip("/")
            self.add_error(name if name in self.fields else None, problem.detail)
