"""The job form: what a person types, as a job spec, and the spec's problems, at the fields.

The form only reads text; every rule is the spec's own (`jobs/spec.py`), so that page and
API refuse the same things in the same words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django import forms
from django.http import QueryDict

from jobs.conditions import read_conditions
from jobs.env_rows import EnvRow, as_mapping, check_rows, read_rows, with_spare
from jobs.form_faults import Fault, elsewhere, field_of, with_unit
from jobs.form_text import (
    MEMORY_UNITS,
    TIME_UNITS,
    counted,
    read_arguments,
    read_codes,
    read_keys,
    read_labels,
)
from jobs.reasons import RETRYABLE
from jobs.spec import MAX_ENV, MAX_SECRETS
from projects.errors import FieldProblem

OVERFLOWS = [
    ("queue", "it waits"),
    ("cancel_newest", "the newest is cancelled"),
    ("cancel_running", "older ones are cancelled for it"),
]
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

_UNSPELT = (
    *("name", "image", "working_dir", "user", "retry_codes"),
    *("concurrency_key", "anti_affinity"),
)
# Fields that are called as in the spec, and hold what it has.
_AS_THEY_ARE = (
    *("name", "project", "image", "working_dir", "user", "network", "profile"),
    *("priority", "labels", "requires", "anti_affinity", "hold"),
)
# What is folded away until somebody needs it, with what it says while nobody does.
_FOLDED = {
    "requires": "",
    "working_dir": "",
    "user": "",
    "network": "bridge",
    "profile": "standard",
    "queue_timeout": "",
    "concurrency_key": "",
    "concurrency_limit": "1",
    "on_overflow": "queue",
    "anti_affinity": "",
    "hold": "False",
}


def _text(**attrs: Any) -> forms.TextInput:
    """One line, kept as it was typed also where no number was (a number input would not)."""
    return forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off", **attrs})


def _lines(rows: int) -> forms.Textarea:
    return forms.Textarea(attrs={"rows": rows, "spellcheck": "false", "autocapitalize": "off"})


class JobForm(forms.Form):
    """One job to submit. `projects` and `providers` are (slug, words) to choose from."""

    name = forms.CharField(max_length=400)
    project = forms.ChoiceField()
    image = forms.CharField(max_length=1000)
    program = forms.ChoiceField(choices=PROGRAMS, widget=forms.RadioSelect, initial="script")
    script = forms.CharField(required=False, strip=False, widget=_lines(6))
    argv = forms.CharField(label="Arguments", required=False, strip=False, widget=_lines(6))
    cpu_cores = forms.FloatField(label="CPU", initial=1, widget=_text())
    memory = forms.FloatField(initial=512, widget=_text())
    memory_unit = forms.ChoiceField(label="Unit of memory", choices=MEMORY_UNITS, initial="1")
    gpus = forms.IntegerField(label="GPUs", initial=0, widget=_text())
    timeout = forms.FloatField(label="Time limit", initial=24, widget=_text())
    timeout_unit = forms.ChoiceField(
        label="Unit of the time limit", choices=TIME_UNITS, initial="3600"
    )
    max_attempts = forms.IntegerField(
        label="Attempts", initial=1, help_text="At most 100.", widget=_text()
    )
    backoff = forms.FloatField(label="Back-off", initial=10, widget=_text())
    backoff_unit = forms.ChoiceField(label="Unit of the back-off", choices=TIME_UNITS, initial="1")
    retry_on = forms.MultipleChoiceField(
        label="Retry after",
        required=False,
        choices=[(code, RETRY_WORDS.get(code, code)) for code in sorted(RETRYABLE)],
        widget=forms.CheckboxSelectMultiple,
    )
    retry_codes = forms.CharField(
        label="Only after exit codes",
        required=False,
        max_length=400,
        help_text="For example 75, 111.",
    )
    provider = forms.ChoiceField(required=False)
    priority = forms.IntegerField(initial=50, help_text="0 to 100, higher first.", widget=_text())
    requires = forms.CharField(
        label="Only providers with",
        required=False,
        help_text="One condition a line: zone = a, disk in ssd, nvme, cores > 16, gpu, !spot.",
        widget=_lines(2),
    )
    labels = forms.CharField(required=False, help_text="One key=value a line.", widget=_lines(2))
    queue_timeout = forms.FloatField(
        label="Give up waiting after",
        required=False,
        help_text="Empty: it waits as long as it takes.",
        widget=_text(),
    )
    queue_timeout_unit = forms.ChoiceField(
        label="Unit of the wait", choices=TIME_UNITS, initial="3600"
    )
    concurrency_key = forms.CharField(
        label="Concurrency key",
        required=False,
        help_text="Jobs of its project with the same key share a limit. Empty: none.",
    )
    concurrency_limit = forms.IntegerField(
        label="At once", required=False, initial=1, help_text="Jobs with that key.", widget=_text()
    )
    on_overflow = forms.ChoiceField(label="Beyond that", required=False, choices=OVERFLOWS)
    anti_affinity = forms.CharField(
        label="Apart from jobs with the same",
        required=False,
        help_text="Keys of its labels, with commas: such jobs never share a provider.",
    )
    working_dir = forms.CharField(
        label="Working folder", required=False, help_text="Empty: the image's own."
    )
    user = forms.CharField(
        label="Run as user", required=False, help_text="Name or number. Empty: the image's own."
    )
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
            if name in _UNSPELT:
                field.widget.attrs |= {"autocomplete": "off", "spellcheck": "false"}
        self.fields["image"].widget.attrs |= {"list": "recent-images", "autocapitalize": "off"}

    def unjudged(self) -> JobForm:
        """The same texts in a form that has not been sent: nothing is wrong in it yet."""
        return self._again(initial={bound.name: bound.data for bound in self})

    def as_sent(self) -> JobForm:
        """What it begins with, as if that had been sent: to say what would come of it."""
        data = QueryDict(mutable=True)
        for bound in self:
            value = bound.value()
            if isinstance(value, list):
                data.setlist(bound.name, [str(one) for one in value])
            elif value is not None and value is not False:
                data[bound.name] = str(value)
        for kind, rows in (("env", self.env), ("secret", self.secrets)):
            data.setlist(f"{kind}_name", [row.name for row in rows])
            data.setlist(f"{kind}_value", [row.value for row in rows])
        return self._again(data)

    def _again(self, data: QueryDict | None = None, **beginning: Any) -> JobForm:
        return JobForm(
            data,
            projects=self._projects,
            providers=self._providers,
            env=self.env,
            secrets=self.secrets,
            **beginning,
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
        return any(
            self[name].errors or str(self[name].value() or "") not in ("", usual)
            for name, usual in _FOLDED.items()
        )

    def clean(self) -> dict[str, Any]:
        """Reads the fields that hold several things; what is wrong with a row stands there."""
        check_rows(self.env, MAX_ENV, "variables")
        check_rows(self.secrets, MAX_SECRETS, "secrets")
        self._read("labels", read_labels)
        self._read("retry_codes", read_codes)
        self._read("requires", read_conditions)
        self._read("anti_affinity", read_keys)
        return self.cleaned_data

    def _read(self, name: str, read: Callable[[str], Any]) -> None:
        if name in self.cleaned_data:
            try:
                self.cleaned_data[name] = read(self.cleaned_data[name])
            except ValueError as error:
                self.add_error(name, str(error))

    def spec(self) -> dict[str, Any]:
        """The job spec as the API would take it; what is wrong is left out."""
        given = self.cleaned_data
        spec: dict[str, Any] = {name: given[name] for name in _AS_THEY_ARE if name in given}
        spec["env"] = as_mapping(self.env, MAX_ENV)
        spec["secret_env"] = as_mapping(self.secrets, MAX_SECRETS)
        if "provider" in given:
            spec["provider"] = given["provider"] or None
        spec["queue_timeout_seconds"] = self._counted("queue_timeout")
        spec["concurrency"] = self._concurrency()
        spec["resources"] = _known(
            cpu_cores=given.get("cpu_cores"),
            memory_mb=self._counted("memory"),
            gpus=given.get("gpus"),
            timeout_seconds=self._counted("timeout"),
        )
        spec["retry"] = _known(
            max_attempts=given.get("max_attempts"), backoff_seconds=self._counted("backoff")
        )
        spec["retry"]["on"] = [*given.get("retry_on", ()), *given.get("retry_codes", ())]
        program = given.get("program")
        argv = read_arguments(given["argv"]) if "argv" in given else []
        script = given.get("script", "").replace("\r\n", "\n")
        spec["script"] = script if program == "script" and "script" in given else None
        spec["command"] = argv if program == "argv" and "argv" in given else None
        spec["args"] = argv if program == "image" else []
        return spec

    def _concurrency(self) -> dict[str, Any] | None:
        """None without a key; what is left empty beside one is as the spec has it."""
        given = self.cleaned_data
        named = {"limit": given.get("concurrency_limit"), "on_overflow": given.get("on_overflow")}
        if not given.get("concurrency_key"):
            return None
        rest = {name: value for name, value in named.items() if value not in (None, "")}
        return {"key": given["concurrency_key"]} | rest

    def _counted(self, name: str) -> int | None:
        number, unit = self.cleaned_data.get(name), self.cleaned_data.get(f"{name}_unit")
        return None if number is None or unit is None else counted(number, unit)

    def blame(self, problems: Sequence[FieldProblem]) -> None:
        """Put the spec's problems at the fields they belong to; the rest above the form. A
        field that could not be read has its own problem already."""
        wrong = set(self.errors)
        for problem in problems:
            path = problem.pointer.strip("/")
            head, _, tail = path.partition("/")
            if head in ("env", "secret_env") and self._blame_row(head, tail, problem.detail):
                continue
            field = field_of(path)
            if field not in self.fields:
                where = elsewhere(path)
                self.add_error(None, f"{where}: {problem.detail}" if where else problem.detail)
            elif field not in wrong:
                code = "invalid" if self[field].value() else "required"
                words = with_unit(field, problem.detail)
                self.add_error(field, forms.ValidationError(words, code))

    def faults(self) -> list[Fault]:
        """Everything wrong, in the order of the form; what belongs nowhere comes first."""
        found = [Fault("", "", str(words)) for words in self.non_field_errors()]
        for bound in self:
            if bound.name == "max_attempts":
                found += self._row_faults("env", "Variable", self.env)
                found += self._row_faults("secret", "Secret", self.secrets)
            target = bound.auto_id + ("_0" if bound.name in ("program", "retry_on") else "")
            found += [
                Fault(str(bound.label), target, error.messages[0], error.code == "required")
                for error in bound.errors.as_data()
            ]
        return found

    @staticmethod
    def _row_faults(kind: str, word: str, rows: Sequence[EnvRow]) -> list[Fault]:
        return [
            Fault(row.name or f"{word} {number}", f"{kind}_name_{number}", row.problem)
            for number, row in enumerate(rows, 1)
            if row.problem
        ]

    def is_right(self) -> bool:
        """True when nothing is wrong, in no field and in no row."""
        return not self.faults()

    def focus_first_fault(self) -> None:
        """Let the page open at the first field that is wrong."""
        first = next((fault.target for fault in self.faults() if fault.target), "")
        kind, _, number = first.partition("_name_")
        name = first.removeprefix("id_").removesuffix("_0")
        if name in self.fields:
            self.fields[name].widget.attrs["autofocus"] = True
        elif first:
            {"env": self.env, "secret": self.secrets}[kind][int(number) - 1].focus = True

    def _blame_row(self, kind: str, name: str, detail: str) -> bool:
        name = name.replace("~1", "/").replace("~0", "~")
        for row in self.env if kind == "env" else self.secrets:
            if row.name == name:
                row.problem = detail
                return True
        return False


def _known(**amounts: Any) -> dict[str, Any]:
    """The amounts that could be read."""
    return {name: amount for name, amount in amounts.items() if amount is not None}
