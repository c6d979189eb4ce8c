"""A spec beside the one before it, and as a command for a shell."""

from __future__ import annotations

import json
import shlex
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from jobs.curl import FILL_IN, curl_command, request_body
from jobs.spec import parse_spec
from jobs.spec_diff import spec_diff, spec_text


def stored(**fields: Any) -> dict[str, Any]:
    return parse_spec({"name": "load", "image": "etl:1"} | fields).stored()


def test_only_what_differs_is_marked() -> None:
    diff = spec_diff(stored(env={"A": "1"}), stored(image="etl:2", env={"A": "1", "B": "2"}))
    marked = [(line.kind, line.text.strip()) for line in diff.lines if line.kind]
    assert marked == [
        ("del", '"image": "etl:1",'),
        ("add", '"image": "etl:2",'),
        ("add", '"B": "2"'),
    ]
    assert (diff.added, diff.removed, diff.same) == (2, 1, False)


def test_the_same_spec_has_no_marks_and_shows_whole() -> None:
    diff = spec_diff(stored(), stored())
    assert diff.same
    assert "\n".join(line.text for line in diff.lines) == spec_text(stored())


def test_a_field_that_an_older_spec_does_not_have_is_as_if_left_out() -> None:
    older = {k: v for k, v in stored().items() if k not in ("concurrency", "anti_affinity")}
    assert spec_diff(older, stored()).same
    keyed = spec_diff(older, stored(concurrency={"key": "k"}))
    assert any(line.kind == "add" and '"key": "k"' in line.text for line in keyed.lines)


def test_who_gave_the_secrets_is_not_shown() -> None:
    assert "secret_env_by" not in spec_text(stored(secret_env={"T": "x"}) | {"secret_env_by": 1})


TEXT = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=30)


@given(TEXT.filter(bool), st.dictionaries(st.from_regex(r"\A[A-Z]{1,5}\Z"), TEXT, max_size=3))
def test_what_the_shell_sends_is_the_same_job(script: str, env: dict[str, str]) -> None:
    spec = parse_spec(
        {
            "name": "load", "image": "etl:1", "script": script, "env": env,
            "resources": {"memory_mb": 64}, "labels": {"team": "data"},
            "concurrency": {"key": "load", "limit": 2}, "anti_affinity": ["team"],
        }
    )  # fmt: skip
    words = shlex.split(curl_command(spec.stored(), "http://host/api/v1/jobs"))
    assert words[:2] == ["curl", "http://host/api/v1/jobs"]
    assert parse_spec(json.loads(words[-1])).stored() == spec.stored()


def test_secrets_are_named_and_to_be_filled_in() -> None:
    body = request_body(stored(secret_env={"API_KEY": "hush"}) | {"secret_env_by": 3})
    assert body == {"name": "load", "image": "etl:1", "secret_env": {"API_KEY": FILL_IN}}
