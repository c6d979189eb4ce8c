"""The forms of a provider: how to reach it, which differs by kind, and what it may give out.

They only read text; every rule is `providers/schemas.py`' or `providers/options.py`', so that
page and API refuse the same things in the same words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django import forms
from django.conf import settings
from django.http import QueryDict

from projects.errors import FieldProblem
from projects.quantities import cores_text
from providers.models import Provider, Strategy


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


class _Form(forms.Form):
    """Common to both: how a field looks, and where a problem of the services stands."""

    mono: tuple[str, ...] = ()
    pointers: Mapping[str, str] = {}
    """Names that services use, to names of fields, where they differ."""

    def __init__(
        self, data: QueryDict | None = None, *, initial: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(data, initial=dict(initial or {}), label_suffix="")
        for name, field in self.fields.items():
            field.widget.attrs.setdefault("class", "input mono" if name in self.mono else "input")

    def blame(self, problems: Sequence[FieldProblem]) -> list[FieldProblem]:
        """Put the services' problems at their fields; those of no field are returned."""
        rest = []
        for problem in problems:
            parts = problem.pointer.strip("/").split("/")
            name = parts[1] if parts[0] == "options" and len(parts) > 1 else parts[0]
            name = self.pointers.get(name, name)
            if name in self.fields:
                self.add_error(name, problem.detail)
            else:
                rest.append(problem)
        return rest


class ConnectionForm(_Form):
    """Its name, and how the engine process reaches it."""

    option_names: tuple[str, ...] = ()
    name = forms.CharField(max_length=200, help_text="Letters, digits, - and _.")

    @property
    def option_fields(self) -> list[forms.BoundField]:
        """The fields of how to reach it."""
        return [self[name] for name in self.option_names]

    def options(self, stored: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The options as typed; those that this form does not show stay as they are stored."""
        kept = {k: v for k, v in (stored or {}).items() if k not in self.option_names}
        given = {name: self.cleaned_data[name] for name in self.option_names}
        return kept | {name: value for name, value in given.items() if value not in ("", None)}


class DockerForm(ConnectionForm):
    """A Docker engine; with nothing filled in, the one that the docker command would use."""

    option_names = ("base_url", "context", "tls_ca", "tls_cert", "tls_key")
    mono = option_names
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


class LimitsForm(_Form):
    """What it may give out, and to whom. Empty limits: what it is found to have."""

    pointers = {"cpu_millis": "cpu_cores", "memory_mb": "memory_gib", "lost_after_seconds": "lost"}
    cpu_cores = forms.FloatField(label="CPU", required=False, min_value=0.001, max_value=100_000)
    memory_gib = forms.FloatField(
        label="Memory", required=False, min_value=0.001, max_value=1_000_000
    )
    gpus = forms.IntegerField(label="GPUs", required=False)
    slots = forms.IntegerField(label="Jobs at once", required=False)
    group = forms.CharField(
        required=False, max_length=63, help_text="Providers of one group are filled alike."
    )
    strategy = forms.ChoiceField(
        label="Filled",
        choices=Strategy.choices,
        required=False,
        help_text="Holds for all of its group.",
    )
    cost_per_hour = forms.DecimalField(
        label="Cost per hour",
        required=False,
        min_value=0,
        max_digits=10,
        decimal_places=4,
        help_text="Of providers that suit a job equally the cheaper one is taken.",
    )
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
    lost = forms.FloatField(
        label="Give running jobs up after",
        required=False,
        min_value=1,
        max_value=2**31 - 1,
        help_text="Seconds without an answer. Empty: never; the program may still run there.",
    )

    def found(self, provider: Provider) -> LimitsForm:
        """With what the provider was found to have where nothing is typed."""
        for name, text in (
            ("cpu_cores", cores_text(provider.found_cpu_millis or 0)),
            ("memory_gib", f"{(provider.found_memory_mb or 0) / 1024:.4g}"),
            ("gpus", str(provider.found_gpus)),
        ):
            if provider.found_memory_mb:
                self.fields[name].widget.attrs["placeholder"] = f"{text} found"
        return self

    def clean(self) -> dict[str, Any]:
        """Labels are pairs."""
        for line in str(self.cleaned_data.get("labels", "")).splitlines():
            if line.strip() and "=" not in line:
                self.add_error("labels", f"Write {line.strip()!r} as key=value.")
        return self.cleaned_data

    def values(self) -> dict[str, Any]:
        """The fields as the services take them."""
        given = self.cleaned_data
        pairs = (line.partition("=") for line in given["labels"].splitlines() if line.strip())
        return {
            "cpu_millis": round(given["cpu_cores"] * 1000) if given["cpu_cores"] else None,
            "memory_mb": round(given["memory_gib"] * 1024) if given["memory_gib"] else None,
            "gpus": given["gpus"] or 0,
            "slots": given["slots"],
            "lost_after_seconds": round(given["lost"]) if given["lost"] else None,
            "group": given["group"],
            "strategy": given["strategy"] or Strategy.SPREAD.value,
            "cost_per_hour": _cost(given["cost_per_hour"]),
            "labels": {key.strip(): value.strip() for key, _, value in pairs},
            "mount_allow_list": [
                line.strip() for line in given["mount_allow_list"].splitlines() if line.strip()
            ],
        }


def _cost(given: Decimal | None) -> float | None:
    """As the services take it."""
    return None if given is None else float(given)


CONNECTIONS: dict[str, type[ConnectionForm]] = {
    "docker": DockerForm,
    "process": ConnectionForm,
    "fake": ConnectionForm,
}


def connection_of(provider: Provider) -> dict[str, Any]:
    """A connection form's beginning from a stored provider."""
    options: dict[str, Any] = provider.options
    return {"name": provider.name} | options


def limits_of(provider: Provider) -> dict[str, Any]:
    """A limits form's beginning from a stored provider."""
    return {
        "cpu_cores": None if provider.cpu_millis is None else f"{provider.cpu_millis / 1000:.10g}",
        "memory_gib": None if provider.memory_mb is None else f"{provider.memory_mb / 1024:.10g}",
        "gpus": provider.gpus or None,
        "slots": provider.slots,
        "lost": provider.lost_after_seconds,
        "group": provider.group,
        "strategy": provider.strategy,
        "cost_per_hour": None
        if provider.cost_per_hour is None
        else f"{provider.cost_per_hour:.4g}",
        "labels": "\n".join(f"{key}={value}" for key, value in sorted(provider.labels.items())),
        "mount_allow_list": "\n".join(provider.mount_allow_list),
    }
