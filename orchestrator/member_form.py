"""The form of a new member. It only reads text; every rule is `projects/members.py`'s."""

from __future__ import annotations

from collections.abc import Sequence

from django import forms
from django.http import QueryDict

from projects.errors import FieldProblem
from projects.models import Role

# A select on a phone has room for a word; what each role may stands below it.
_ROLES = [(value, words.partition(":")[0]) for value, words in Role.choices]
_WHAT_THEY_MAY = ". ".join(str(words) for _, words in Role.choices) + "."


class MemberForm(forms.Form):
    """Who, and as what."""

    user = forms.CharField(
        label="User name",
        error_messages={"required": "Write the name with which they sign in."},
        widget=forms.TextInput(
            attrs={
                "class": "input", "autocomplete": "off", "autocapitalize": "off",
                "spellcheck": "false",
            }
        ),
    )  # fmt: skip
    role = forms.ChoiceField(
        choices=_ROLES,
        initial=Role.SUBMITTER,
        help_text=_WHAT_THEY_MAY,
        widget=forms.Select(attrs={"class": "input"}),
    )

    def __init__(self, data: QueryDict | None = None) -> None:
        super().__init__(data, label_suffix="", auto_id="member-%s")

    def blame(self, problems: Sequence[FieldProblem]) -> None:
        """Put the service's problems at their fields; those of no field stand above."""
        for problem in problems:
            name = problem.pointer.strip("/")
            self.add_error(name if name in self.fields else None, problem.detail)
