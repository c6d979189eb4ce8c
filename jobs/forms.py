"""The job form: what a person types, as a job spec, and the spec's problems, at the fields.

The form only reads text; every rule is the spec's own (`jobs/spec.py`), so that page and
API refuse the same things in the same words.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.http import QueryDict

from jobs.env_rows import EnvRow, as_mapping, read_rows, with_spare
from jobs.reasons import RETRYABLE
from projects.errors import FieldProblem

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
TIME_UNITS = [("1", "s"), ("60", "min"), ("3600", "h"), ("86400", "d")]
MEMORY_UNITS = [("1", "MiB"), ("1024", "GiB")]
PROGRAMS = [("script", "Shell script"), ("argv", "Command"), ("image", "The image's own")]
RETRY_WORDS = {
    "exit_code": "an exit code other than 0",
    "signalled": "a signal",
    "oom_killed": "out of memory",
    "timeout": "its time limit",
    "could_not_start": "a command that cannot start",
    "image_not_found": "an image not found",
    "image_denied": "an image denied",
    "registry_unreachable": "an image not fetched",
    "rejected": "a refusal of the provider",
    "removed_outside": "its container removed",
    "provider_lost": "its provider lost",
    "engine_stopped": "the engine stopped",
    "restarted_outside": "its container restarted",
    "preempted": "making room for another",
}

_POINTERS = {
    "resources/cpu_cores": "cpu_cores",
    "resources/memory_mb": "memory",
    "resources/gpus": "gpus",
    "resources/timeout_seconds": "timeout",
    "retry/max_attempts": "max_attempts",
    "retry/backoff_seconds": "backoff_seconds",
    "retry/on": "retry_on",
    "queue_timeout_seconds": "queue_timeout",
    "command": "argv",
    "args": "argv",
    "retry": "max_attempts",
}


# The spec's limits are in one unit, the form's numbers in whatever was chosen.
_COUNTED_IN = {"memory": "MiB", "timeout": "seconds", "queue_timeout": "seconds"}


class JobForm(forms.Form):
    """One job to submit. `projects` and `providers` are (slug, words) to choose from."""

    name = forms.CharField(max_length=400)
    project = forms.ChoiceField()
    image = forms.CharField(max_length=1000)
    program = forms.ChoiceField(choices=PROGRAMS, widget=forms.RadioSelect, initial="script")
    script = forms.CharField(
        required=False, strip=False, widget=forms.Textarea(attrs={"rows": 6, "spellcheck": "false"})
    )
    argv = forms.CharField(
        label="Arguments",
        required=False,
        strip=False,
        help_text="One argument a line, the program first.",
        widget=forms.Textarea(attrs={"rows": 6, "spellcheck": "false"}),
    )
    cpu_cores = forms.FloatField(label="CPU", initial=1)
    memory = forms.FloatField(initial=512)
    memory_unit = forms.ChoiceField(label="Unit of memory", choices=MEMORY_UNITS, initial="1")
    gpus = forms.IntegerField(label="GPUs", initial=0)
    timeout = forms.FloatField(label="Time limit", initial=24)
    timeout_unit = forms.ChoiceField(label="Unit of time", choices=TIME_UNITS, initial="3600")
    max_attempts = forms.IntegerField(label="Attempts", initial=1)
    backoff_seconds = forms.IntegerField(label="Back-off", initial=10)
    retry_on = forms.MultipleChoiceField(
        label="Retry after",
        required=False,
        choices=[(code, RETRY_WORDS.get(code, code)) for code in sorted(RETRYABLE)],
        widget=forms.CheckboxSelectMultiple,
    )
    retry_codes = forms.CharField(
        label="Retry after these exit codes",
        required=False,
        max_length=400,
        help_text="For example 75, 111.",
    )
    provider = forms.ChoiceField(required=False)
    priority = forms.IntegerField(initial=50, help_text="0 to 100, higher first")
    queue_timeout = forms.IntegerField(
        label="Give up waiting after",
        required=False,
        help_text="Empty: it waits as long as it takes.",
    )
    labels = forms.CharField(
        required=False,
        help_text="One key=value a line.",
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false"}),
    )
    working_dir = forms.CharField(label="Working folder", required=False)
    user = forms.CharField(label="Run as user", required=False)
    network = forms.ChoiceField(choices=[("bridge", "Bridge"), ("none", "None")])
    profile = forms.ChoiceField(
        choices=[("standard", "Standard"), ("restricted", "Restricted: not root, read-only")]
    )
    hold = forms.BooleanField(label="Hold it until somebody releases it", required=False)

    def __init__(
        self,
        data: QueryDict | None = None,
        *,
        projects: Sequence[tuple[str, str]],
        providers: Sequence[tuple[str, str]],
        initial: Mapping[str, Any] | None = None,
        env: Sequence[EnvRow] = (),
        secrets: Sequence[EnvRow] = (),
    ) -> None:
        super().__init__(data, initial=dict(initial or {}), label_suffix="")
        self._projects, self._providers = list(projects), list(providers)
        self._choice("project").choices = self._projects
        self._choice("provider").choices = [("", "Any that fits"), *self._providers]
        self.env = read_rows(data, "env") if data is not None else list(env)
        self.secrets = read_rows(data, "secret") if data is not None else list(secrets)
        self.spare = {"env": 1, "secret": 1}
        for name, field in self.fields.items():
            if not isinstance(field.widget, (forms.RadioSelect, forms.CheckboxInput)):
                field.widget.attrs.setdefault("class", "input")
            if name in ("image", "working_dir", "user"):
                field.widget.attrs["class"] = "input mono"

    def unjudged(self) -> JobForm:
        """The same texts in a form that has not been sent: nothing is wrong in it yet."""
        return JobForm(
            projects=self._projects,
            providers=self._providers,
            initial={bound.name: bound.data for bound in self},
            env=self.env,
            secrets=self.secrets,
        )

    def _choice(self, name: str) -> forms.ChoiceField:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        return field

    @property
    def env_rows(self) -> list[EnvRow]:
        """The rows of variables to show."""
        return with_spare(self.env, self.spare["env"])

    @property
    def secret_rows(self) -> list[EnvRow]:
        """The rows of secrets to show."""
        return with_spare(self.secrets, self.spare["secret"])

    @property
    def has_more(self) -> bool:
        """True when a field behind "More" holds something, or something wrong."""
        folded = ("working_dir", "user", "network", "profile", "hold", "queue_timeout", "labels")
        return any(self[name].errors for name in folded) or any(
            str(self[name].value() or "") not in ("", "bridge", "standard", "False")
            for name in folded
        )

    def clean(self) -> dict[str, Any]:
        """Reads the rows; what is wrong with one stands at that row."""
        as_mapping(self.env)
        as_mapping(self.secrets)
        self._tell_of_rows()
        for line in str(self.cleaned_data.get("labels", "")).splitlines():
            if line.strip() and "=" not in line:
                self.add_error("labels", f"Write {line.strip()!r} as key=value.")
        if not all(code.isdecimal() for code in _words(self.cleaned_data.get("retry_codes", ""))):
            self.add_error("retry_codes", "Write whole numbers with commas between them.")
        return self.cleaned_data

    def spec(self) -> dict[str, Any]:
        """The job spec of a valid form, as the API would take it."""
        values = self.cleaned_data
        spec: dict[str, Any] = {
            "name": values["name"],
            "project": values["project"],
            "image": values["image"],
            "env": as_mapping(self.env),
            "secret_env": as_mapping(self.secrets),
            "working_dir": values["working_dir"],
            "user": values["user"],
            "network": values["network"],
            "profile": values["profile"],
            "priority": values["priority"],
            "labels": _labels(values["labels"]),
            "provider": values["provider"] or None,
            "queue_timeout_seconds": values["queue_timeout"],
            "hold": values["hold"],
            "resources": {
                "cpu_cores": values["cpu_cores"],
                "memory_mb": _counted(values["memory"], values["memory_unit"]),
                "gpus": values["gpus"],
                "timeout_seconds": _counted(values["timeout"], values["timeout_unit"]),
            },
            "retry": {
                "max_attempts": values["max_attempts"],
                "backoff_seconds": values["backoff_seconds"],
                "on": [*values["retry_on"], *(int(code) for code in _words(values["retry_codes"]))],
            },
        }
        program = values["program"]
        lines = [
            _read_argument(line)
            for line in values["argv"].replace("\r\n", "\n").split("\n")
            if line
        ]
        spec["script"] = values["script"].replace("\r\n", "\n") if program == "script" else None
        spec["command"] = lines if program == "argv" else None
        spec["args"] = lines if program == "image" else []
        return spec

    def blame(self, problems: Sequence[FieldProblem]) -> None:
        """Put the spec's problems at the fields they belong to; the rest above the form."""
        for problem in problems:
            path = problem.pointer.strip("/")
            head, _, tail = path.partition("/")
            if head in ("env", "secret_env") and self._blame_row(head, tail, problem.detail):
                continue
            field = _POINTERS.get(path) or _POINTERS.get("/".join(path.split("/")[:2]))
            field = field or _POINTERS.get(head) or (head if head in self.fields else None)
            unit = f" ({_COUNTED_IN[field]})" if field in _COUNTED_IN else ""
            self.add_error(field, problem.detail + unit if field else f"{path}: {problem.detail}")
        self._tell_of_rows()

    def _tell_of_rows(self) -> None:
        """What is wrong with a row makes the form wrong."""
        if any(row.problem for row in (*self.env, *self.secrets)):
            self.add_error(None, "Some variables need another look.")

    def _blame_row(self, kind: str, name: str, detail: str) -> bool:
        name = name.replace("~1", "/").replace("~0", "~")
        for row in self.env if kind == "env" else self.secrets:
            if row.name == name:
                row.problem = detail
                return True
        return False


def _counted(number: float, unit: str) -> int:
    """A number in the spec's unit; one beyond all bounds stays a number to be refused."""
    return round(min(max(number * int(unit), -1e300), 1e300))


def _show_argument(text: str) -> str:
    """An argument on a line of its own: in double quotes where it could not be told else."""
    plain = text and not text.startswith('"') and not {"\n", "\r"} & set(text)
    return text if plain else json.dumps(text, ensure_ascii=False)


def _read_argument(line: str) -> str:
    """What `_show_argument` wrote; quotes that are no JSON string belong to the argument."""
    if line.startswith('"'):
        try:
            value = json.loads(line)
        except ValueError:
            return line
        return value if isinstance(value, str) else line
    return line


def _words(text: str) -> list[str]:
    return text.replace(",", " ").split()


def _labels(text: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in text.splitlines() if line.strip())
    return {key.strip(): value.strip() for key, _, value in pairs}


def initial_of(spec: Mapping[str, Any]) -> tuple[dict[str, Any], list[EnvRow], list[EnvRow]]:
    """The form's beginning from a stored spec: values, variables, secrets (names only)."""
    resources, retry = spec["resources"], spec["retry"]
    memory, memory_unit = _in_units(resources["memory_mb"], (1024, 1))
    timeout, timeout_unit = _in_units(resources["timeout_seconds"], (_DAY, _HOUR, _MINUTE, 1))
    command = spec.get("command")
    program = "script" if spec.get("script") is not None else "argv" if command else "image"
    values = {
        **{
            name: spec[name]
            for name in (
                "name",
                "project",
                "image",
                "priority",
                "working_dir",
                "user",
                "network",
                "profile",
            )
        },
        "program": program,
        "script": spec.get("script") or "",
        "argv": "\n".join(map(_show_argument, [*(command or []), *spec["args"]])),
        "cpu_cores": f"{resources['cpu_cores']:g}",
        "memory": memory,
        "memory_unit": memory_unit,
        "gpus": resources["gpus"],
        "timeout": timeout,
        "timeout_unit": timeout_unit,
        "max_attempts": retry["max_attempts"],
        "backoff_seconds": retry["backoff_seconds"],
        "retry_on": [code for code in retry["on"] if isinstance(code, str)],
        "retry_codes": ", ".join(str(code) for code in retry["on"] if isinstance(code, int)),
        "provider": spec["provider"] or "",
        "queue_timeout": spec["queue_timeout_seconds"],
        "labels": "\n".join(f"{key}={value}" for key, value in spec["labels"].items()),
    }
    env = [EnvRow(name, value) for name, value in spec["env"].items()]
    secrets = [EnvRow(name) for name in spec.get("secret_env_names", ())]
    return values, env, secrets


def _in_units(amount: int, units: Sequence[int]) -> tuple[int, str]:
    """An amount in the largest unit that divides it."""
    unit = next(unit for unit in units if amount % unit == 0)
    return amount // unit, str(unit)
