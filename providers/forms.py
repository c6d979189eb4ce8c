"""The form that adds a provider: its kind, how to reach it, what it may give out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.conf import settings
from django.http import QueryDict

from projects.errors import FieldProblem


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of provider to choose, in the words of the first step."""

    name: str
    word: str
    text: str
    warning: str = ""


_KINDS = (
    Kind("docker", "Docker", "Each job in a container of its own, on one Docker engine."),
    Kind(
        "process",
        "Process",
        "Programs on the machine where the engine process runs; images mean nothing there.",
        "No isolation: a job can do there whatever Gantry's own user can.",
    ),
    Kind("fake", "Fake", "Scripted answers without any program, for tests and demonstrations."),
)


def kinds() -> list[Kind]:
    """The kinds that this instance allows."""
    return [kind for kind in _KINDS if kind.name != "fake" or settings.ALLOW_FAKE_DRIVER]


class ProviderForm(forms.Form):
    """Common to every kind. Empty limits: what the provider is found to have."""

    option_names: tuple[str, ...] = ()
    name = forms.CharField(max_length=200, help_text="Letters, digits, - and _.")
    cpu_cores = forms.FloatField(label="CPU", required=False, min_value=0.01, max_value=100_000)
    memory_gib = forms.FloatField(
        label="Memory", required=False, min_value=0.01, max_value=1_000_000
    )
    slots = forms.IntegerField(label="Jobs at once", required=False)
    labels = forms.CharField(
        required=False,
        help_text="One key=value a line; jobs may ask for them.",
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false"}),
    )
    mount_allow_list = forms.CharField(
        label="Folders that jobs may mount",
        required=False,
        help_text="One a line: /path to read, it and what is below; /path:rw to write, it alone.",
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false"}),
    )
    active = forms.BooleanField(label="Take jobs at once", required=False, initial=True)

    def __init__(self, data: QueryDict | None = None) -> None:
        super().__init__(data, label_suffix="")
        for name, field in self.fields.items():
            if not isinstance(field.widget, forms.CheckboxInput):
                mono = " mono" if name in self.option_names else ""
                field.widget.attrs.setdefault("class", f"input{mono}")

    @property
    def option_fields(self) -> list[forms.BoundField]:
        """The fields of how to reach it."""
        return [self[name] for name in self.option_names]

    def clean(self) -> dict[str, Any]:
        """Labels are pairs."""
        for line in str(self.cleaned_data.get("labels", "")).splitlines():
            if line.strip() and "=" not in line:
                self.add_error("labels", f"Write {line.strip()!r} as key=value.")
        return self.cleaned_data

    def values(self, kind: str) -> dict[str, Any]:
        """The fields of a new provider, as the service takes them."""
        given = self.cleaned_data
        pairs = (line.partition("=") for line in given["labels"].splitlines() if line.strip())
        return {
            "name": given["name"],
            "kind": kind,
            "mode": "active" if given["active"] else "inactive",
            "options": {
                name: given[name] for name in self.option_names if given[name] not in ("", None)
            },
            "cpu_millis": round(given["cpu_cores"] * 1000) if given["cpu_cores"] else None,
            "memory_mb": round(given["memory_gib"] * 1024) if given["memory_gib"] else None,
            "slots": given["slots"],
            "labels": {key.strip(): value.strip() for key, _, value in pairs},
            "mount_allow_list": [
                line.strip() for line in given["mount_allow_list"].splitlines() if line.strip()
            ],
        }

    def blame(self, problems: Sequence[FieldProblem]) -> None:
        """Put the service's problems at their fields; the rest above the form."""
        names = {"cpu_millis": "cpu_cores", "memory_mb": "memory_gib"}
        for problem in problems:
            parts = problem.pointer.strip("/").split("/")
            name = parts[1] if parts[0] == "options" and len(parts) > 1 else parts[0]
            name = names.get(name, name)
            field = name if name in self.fields else None
            self.add_error(field, problem.detail if field else f"{name}: {problem.detail}")


class DockerForm(ProviderForm):
    """A Docker engine; with nothing filled in, the one that the docker command would use."""

    option_names = ("base_url", "context", "tls_ca", "tls_cert", "tls_key")
    base_url = forms.CharField(
        label="Address",
        required=False,
        help_text="unix:///path, tcp://host:port or https://host:port. "
        "Empty: the engine that the docker command would use.",
    )
    context = forms.CharField(label="Docker context", required=False)
    tls_ca = forms.CharField(
        label="CA certificate", required=False, help_text="A path on the engine process's machine."
    )
    tls_cert = forms.CharField(label="Client certificate", required=False)
    tls_key = forms.CharField(label="Client key", required=False)


class ProcessForm(ProviderForm):
    """The machine itself."""


class FakeForm(ProviderForm):
    """A scripted provider; its size is its CPU and memory."""

    def values(self, kind: str) -> dict[str, Any]:
        """Its limits are also what it is found to have."""
        values = super().values(kind)
        if values["cpu_millis"]:
            values["options"]["cpu_cores"] = values["cpu_millis"] / 1000
        if values["memory_mb"]:
            values["options"]["memory_mb"] = values["memory_mb"]
        return values


FORMS: dict[str, type[ProviderForm]] = {
    "docker": DockerForm,
    "process": ProcessForm,
    "fake": FakeForm,
}
