"""The forms of a person's own settings."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib.auth.forms import PasswordChangeForm
from django.utils import timezone


class _PlainForm(forms.Form):
    """A form whose labels end without a colon."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": ""} | kwargs)


_LIFETIMES = [("30", "30 days"), ("90", "90 days"), ("365", "1 year"), ("", "never")]


class TokenForm(_PlainForm):
    """A new token: what it is for, and how long it opens anything."""

    name = forms.CharField(
        label="What it is for",
        max_length=80,
        error_messages={"required": "Say what it is for, so that you know it again."},
        widget=forms.TextInput(
            attrs={"class": "input", "placeholder": "nightly import", "autocomplete": "off"}
        ),
    )
    lifetime = forms.ChoiceField(
        label="Expires after",
        choices=_LIFETIMES,
        required=False,
        initial="90",
        widget=forms.Select(attrs={"class": "input"}),
    )

    def expires_at(self) -> datetime | None:
        """When it ends; None: never."""
        days = self.cleaned_data["lifetime"]
        return timezone.now() + timedelta(days=int(days)) if days else None


class PasswordForm(PasswordChangeForm, _PlainForm):
    """Django's, in our words: the present password, and the new one twice."""

    error_messages = {
        "password_mismatch": "This is not what you wrote above.",
        "password_incorrect": "This is not your present password.",
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, label, hint in (
            ("old_password", "Present password", ""),
            ("new_password1", "New password", "8 characters or more; no common one, no number."),
            ("new_password2", "The new one again", ""),
        ):
            field = self.fields[name]
            field.label, field.help_text = label, hint
            field.widget.attrs["class"] = "input"
