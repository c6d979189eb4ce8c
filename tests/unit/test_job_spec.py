"""The job spec: what is taken, what is refused, and in which words."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.reasons import RETRYABLE
from jobs.spec import MAX_SPEC_BYTES, MAX_VALUE_BYTES, JobSpec, parse_spec
from projects.errors import Invalid

SMALL: dict[str, Any] = {"name": "job", "image": "sample:1"}


def problems(**fields: Any) -> dict[str, str]:
    """Pointer → words for a small spec with these fields; empty when it is taken."""
    try:
        parse_spec(SMALL | fields)
    except Invalid as error:
        return {problem.pointer: problem.detail for problem in error.problems}
    return {}


def more(number: int) -> dict[str, Any]:
    return {"key": "a", "op": "gt", "values": [str(number)]}


def less(number: int) -> dict[str, Any]:
    return {"key": "a", "op": "lt", "values": [str(number)]}


def test_a_small_spec_gets_every_default() -> None:
    assert parse_spec(SMALL).stored() == {
        "spec_version": 1,
        "project": "default",
        "name": "job",
        "image": "sample:1",
        "command": None,
        "script": None,
        "args": [],
        "env": {},
        "secret_env_names": [],
        "working_dir": "",
        "user": "",
        "resources": {"cpu_cores": 1.0, "memory_mb": 512, "gpus": 0, "timeout_seconds": 86400},
        "network": "bridge",
        "mounts": [],
        "profile": "standard",
        "priority": 50,
        "labels": {},
        "provider": None,
        "requires": [],
        "concurrency": None,
        "anti_affinity": [],
        "retry": {"max_attempts": 1, "backoff_seconds": 10, "on": []},
        "queue_timeout_seconds": None,
        "hold": False,
    }


def test_a_full_spec_is_kept_as_it_was_given() -> None:
    given: dict[str, Any] = {
        "spec_version": 1,
        "project": "team-a",
        "name": "Nightly report, zone ü",
        "image": "registry.local:5000/team/report:2.1@sha256:" + "a" * 64,
        "command": ["python", "-m", "report", ""],
        "args": ["--day", "2026-01-31"],
        "env": {"LANG": "C.UTF-8", "_x.y-z": "line 1\nline 2\t"},
        "working_dir": "/srv/app",
        "user": "1000:1000",
        "resources": {"cpu_cores": 0.5, "memory_mb": 256, "gpus": 1, "timeout_seconds": 60},
        "network": "none",
        "mounts": [{"source": "/srv/data", "target": "/data", "read_only": False}],
        "profile": "restricted",
        "priority": 100,
        "labels": {"team": "data", "example.com/tier": ""},
        "provider": None,
        "requires": [
            {"key": "zone", "op": "in", "values": ["a", "b"]},
            {"key": "gpu", "op": "exists", "values": []},
            {"key": "gpu_memory", "op": "gt", "values": ["40"]},
            {"key": "gpu_memory", "op": "lt", "values": ["80.5"]},
        ],
        "concurrency": {"key": "deploy/prod ü", "limit": 2, "on_overflow": "cancel_running"},
        "anti_affinity": ["team"],
        "retry": {"max_attempts": 3, "backoff_seconds": 0, "on": [75, "oom_killed"]},
        "queue_timeout_seconds": 3600,
        "hold": True,
    }
    stored = parse_spec(given | {"secret_env": {"B": "x", "A": "y"}}).stored()
    assert stored.pop("secret_env_names") == ["A", "B"]
    assert stored.pop("script") is None
    assert stored == given


def test_a_stored_spec_is_plain_json_and_parses_to_itself() -> None:
    stored = parse_spec(SMALL | {"env": {"A": "1"}, "mounts": []}).stored()
    stored.pop("secret_env_names")
    assert parse_spec(json.loads(json.dumps(stored))).stored() == stored | {"secret_env_names": []}


def test_secret_values_are_in_no_text_of_the_spec_or_of_its_refusal() -> None:
    spec = parse_spec(SMALL | {"secret_env": {"KEY": "hush-hush"}})
    assert "hush-hush" not in repr(spec) + str(spec) + json.dumps(spec.stored())
    with pytest.raises(Invalid) as refused:
        parse_spec(SMALL | {"secret_env": {"KEY": "hush-hush\0", "1": "hush-hush"}})
    assert "hush-hush" not in str(refused.value)


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"nope": 1}, "/nope"),
        ({"a/b~c": 1}, "/a~1b~0c"),
        ({"resources": {"cpus": 1}}, "/resources/cpus"),
        ({"name": None}, "/name"),
        ({"name": ""}, "/name"),
        ({"name": "  "}, "/name"),
        ({"name": " padded"}, "/name"),
        ({"name": "two\nlines"}, "/name"),
        ({"name": "x" * 121}, "/name"),
        ({"name": 7}, "/name"),
        ({"name": "a\0b"}, "/name"),
        ({"name": "\ud800"}, "/name"),
        ({"image": ""}, "/image"),
        ({"image": "UPPER"}, "/image"),
        ({"image": "a b"}, "/image"),
        ({"image": "a:"}, "/image"),
        ({"image": "-a"}, "/image"),
        ({"image": "a@sha256:123"}, "/image"),
        ({"image": "https://host/a"}, "/image"),
        ({"image": "a" * 513}, "/image"),
        ({"project": "a b"}, "/project"),
        ({"project": ""}, "/project"),
        ({"spec_version": 2}, "/spec_version"),
        ({"spec_version": True}, "/spec_version"),
        ({"spec_version": 1.0}, "/spec_version"),
        ({"spec_version": "1"}, "/spec_version"),
        ({"command": []}, "/command"),
        ({"command": "ls"}, "/command"),
        ({"command": ["ls", 1]}, "/command/1"),
        ({"command": ["x"] * 1025}, "/command"),
        ({"command": ["ls"], "script": "ls"}, "/script"),
        ({"script": ""}, "/script"),
        ({"script": "x" * (MAX_VALUE_BYTES + 1)}, "/script"),
        ({"script": "é" * (MAX_VALUE_BYTES // 2 + 1)}, "/script"),
        ({"args": "x"}, "/args"),
        ({"env": {"1A": "x"}}, "/env/1A"),
        ({"env": {"": "x"}}, "/env/"),
        ({"env": {"A=B": "x"}}, "/env/A=B"),
        ({"env": {"A": 1}}, "/env/A"),
        ({"env": {"A": None}}, "/env/A"),
        ({"env": {"A": "x" * (MAX_VALUE_BYTES + 1)}}, "/env/A"),
        ({"env": {"A": "x\0"}}, "/env/A"),
        ({"env": {f"V{n}": "" for n in range(257)}}, "/env"),
        ({"env": {"A": "1"}, "secret_env": {"A": "2"}}, "/secret_env/A"),
        ({"secret_env": {f"V{n}": "" for n in range(65)}}, "/secret_env"),
        ({"working_dir": "tmp"}, "/working_dir"),
        ({"working_dir": "/a/../b"}, "/working_dir"),
        ({"user": "a b"}, "/user"),
        ({"user": "-1"}, "/user"),
        ({"resources": {"cpu_cores": 0}}, "/resources/cpu_cores"),
        ({"resources": {"cpu_cores": -1}}, "/resources/cpu_cores"),
        ({"resources": {"cpu_cores": "1"}}, "/resources/cpu_cores"),
        ({"resources": {"cpu_cores": True}}, "/resources/cpu_cores"),
        ({"resources": {"cpu_cores": float("nan")}}, "/resources/cpu_cores"),
        ({"resources": {"cpu_cores": float("inf")}}, "/resources/cpu_cores"),
        ({"resources": {"cpu_cores": 1e308}}, "/resources/cpu_cores"),
        ({"resources": {"cpu_cores": 10**400}}, "/resources/cpu_cores"),
        ({"resources": {"memory_mb": 10**30}}, "/resources/memory_mb"),
        ({"resources": {"memory_mb": 512.0}}, "/resources/memory_mb"),
        ({"resources": {"memory_mb": 5}}, "/resources/memory_mb"),
        ({"resources": {"gpus": -1}}, "/resources/gpus"),
        ({"resources": {"timeout_seconds": 0}}, "/resources/timeout_seconds"),
        ({"resources": {"timeout_seconds": 2_592_001}}, "/resources/timeout_seconds"),
        ({"resources": {"timeout_seconds": None}}, "/resources/timeout_seconds"),
        ({"resources": []}, "/resources"),
        ({"network": "host"}, "/network"),
        ({"profile": "privileged"}, "/profile"),
        ({"priority": 101}, "/priority"),
        ({"priority": -1}, "/priority"),
        ({"priority": False}, "/priority"),
        ({"mounts": [{"source": "data", "target": "/d"}]}, "/mounts/0/source"),
        ({"mounts": [{"source": "/a/./b", "target": "/d"}]}, "/mounts/0/source"),
        ({"mounts": [{"source": "/a//b", "target": "/d"}]}, "/mounts/0/source"),
        ({"mounts": [{"source": "/a/", "target": "/d"}]}, "/mounts/0/source"),
        ({"mounts": [{"source": "/a:/etc", "target": "/d"}]}, "/mounts/0/source"),
        ({"mounts": [{"source": "/a", "target": "/"}]}, "/mounts/0/target"),
        ({"mounts": [{"source": "/a", "target": "/d"}] * 2}, "/mounts/1/target"),
        ({"mounts": [{"source": "/a"}]}, "/mounts/0/target"),
        ({"mounts": [{"source": "/a", "target": "/d", "options": "z"}]}, "/mounts/0/options"),
        ({"labels": {"gantry.job": "1"}}, "/labels/gantry.job"),
        ({"labels": {"-a": "1"}}, "/labels/-a"),
        ({"labels": {"a": 1}}, "/labels/a"),
        ({"labels": {"a": "x" * 256}}, "/labels/a"),
        ({"labels": {f"l{n}": "" for n in range(65)}}, "/labels"),
        ({"provider": "a", "requires": [{"key": "a", "op": "exists"}]}, "/requires"),
        ({"requires": [{"key": "a", "op": "like", "values": ["x"]}]}, "/requires/0/op"),
        ({"requires": [{"key": "a", "op": "eq", "values": []}]}, "/requires/0"),
        ({"requires": [{"key": "a", "op": "exists", "values": ["x"]}]}, "/requires/0"),
        ({"requires": [{"key": "a", "op": "in"}]}, "/requires/0"),
        ({"requires": [{"key": "a", "op": "gt"}]}, "/requires/0"),
        ({"requires": [{"key": "a", "op": "gt", "values": ["1", "2"]}]}, "/requires/0"),
        ({"requires": [{"key": "a", "op": "gt", "values": ["much"]}]}, "/requires/0"),
        ({"requires": [{"key": "a", "op": "lt", "values": ["nan"]}]}, "/requires/0"),
        ({"requires": [{"key": "a", "op": "lt", "values": ["1_0"]}]}, "/requires/0"),
        ({"requires": [more(4), less(4)]}, "/requires/1/values"),
        ({"requires": [less(4), more(2), more(5)]}, "/requires/2/values"),
        ({"concurrency": "deploy"}, "/concurrency"),
        ({"concurrency": {}}, "/concurrency/key"),
        ({"concurrency": {"key": ""}}, "/concurrency/key"),
        ({"concurrency": {"key": "  "}}, "/concurrency/key"),
        ({"concurrency": {"key": "a\nb"}}, "/concurrency/key"),
        ({"concurrency": {"key": "x" * 121}}, "/concurrency/key"),
        ({"concurrency": {"key": "a", "limit": 0}}, "/concurrency/limit"),
        ({"concurrency": {"key": "a", "limit": 10_001}}, "/concurrency/limit"),
        ({"concurrency": {"key": "a", "limit": True}}, "/concurrency/limit"),
        ({"concurrency": {"key": "a", "on_overflow": "drop"}}, "/concurrency/on_overflow"),
        ({"anti_affinity": "app"}, "/anti_affinity"),
        ({"anti_affinity": ["app"]}, "/anti_affinity/0"),
        ({"labels": {"app": "x"}, "anti_affinity": ["app", "app"]}, "/anti_affinity/1"),
        ({"labels": {"app": "x"}, "anti_affinity": ["app", "App"]}, "/anti_affinity/1"),
        (
            {
                "labels": {f"l{n}": "" for n in range(9)},
                "anti_affinity": [f"l{n}" for n in range(9)],
            },
            "/anti_affinity",
        ),
        ({"retry": {"max_attempts": 0}}, "/retry/max_attempts"),
        ({"retry": {"max_attempts": 101}}, "/retry/max_attempts"),
        ({"retry": {"backoff_seconds": -1}}, "/retry/backoff_seconds"),
        ({"retry": {"on": [0]}}, "/retry/on/0"),
        ({"retry": {"on": [256]}}, "/retry/on/0"),
        ({"retry": {"on": [True]}}, "/retry/on/0"),
        ({"retry": {"on": [1.5]}}, "/retry/on/0"),
        ({"retry": {"on": ["cancelled"]}}, "/retry/on/0"),
        ({"retry": {"on": [1, 1]}}, "/retry/on"),
        ({"queue_timeout_seconds": 0}, "/queue_timeout_seconds"),
        ({"hold": 1}, "/hold"),
        ({"hold": "true"}, "/hold"),
    ],
)
def test_a_wrong_field_is_named_and_says_what_to_do(fields: dict[str, Any], pointer: str) -> None:
    found = problems(**fields)
    assert list(found) == [pointer]
    assert found[pointer].endswith((".", "?"))


def test_all_wrong_fields_are_named_at_once() -> None:
    found = problems(name="", priority=1000, env={"1": 2}, nope=None)
    assert found.keys() >= {"/name", "/priority", "/nope"}


def test_what_is_missing_is_named() -> None:
    with pytest.raises(Invalid) as refused:
        parse_spec({})
    assert {p.pointer: p.detail for p in refused.value.problems} == {
        "/name": "Required; add it.",
        "/image": "Required; add it.",
    }


def test_a_spec_larger_than_its_limit_is_refused_as_a_whole() -> None:
    value = "x" * 60_000
    assert problems(env={f"V{n}": value for n in range(4)}) == {}
    found = problems(env={f"V{n}": value for n in range(5)})
    assert list(found) == [""]
    assert f"{MAX_SPEC_BYTES:,}" in found[""]


def test_limits_are_inclusive() -> None:
    assert problems(script="x" * MAX_VALUE_BYTES) == {}
    assert problems(env={"A": "x" * MAX_VALUE_BYTES}) == {}
    assert problems(name="x" * 120, priority=0) == {}
    assert problems(resources={"cpu_cores": 1, "memory_mb": 6}) == {}


@pytest.mark.parametrize("code", sorted(RETRYABLE))
def test_every_retryable_reason_may_be_named(code: str) -> None:
    assert problems(retry={"on": [code, 1, 255]}) == {}


@pytest.mark.parametrize(
    "image",
    [
        "busybox",
        "busybox:1.36",
        "library/busybox",
        "a__b/c-d.e",
        "localhost:5000/a/b:T_1.x-y",
        "Registry.Example.COM/team/app",
        "ghcr.io/a/b@sha256:" + "0" * 64,
        "[::1]:5000/a",
    ],
)
def test_image_references_as_engines_understand_them_are_taken(image: str) -> None:
    assert problems(image=image) == {}


def test_millicores_are_rounded_not_cut() -> None:
    assert parse_spec(SMALL | {"resources": {"cpu_cores": 0.29}}).cpu_millis == 290


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=10**20, max_value=10**400)
    | st.floats()
    | st.text(st.characters(exclude_categories=())),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=())), inner, max_size=4)
    ),
    max_leaves=12,
)
field_names = sorted(JobSpec.model_fields)


def refusal(value: object) -> Invalid | None:
    """What `parse_spec` refuses this value with, or None when it takes it."""
    try:
        parse_spec(value)
    except Invalid as error:
        return error
    return None


@settings(max_examples=300, deadline=None)
@given(json_values)
def test_any_json_value_is_taken_or_refused_and_never_breaks(value: Any) -> None:
    refused = refusal(value)
    assert refused is None or (refused.problems and str(refused).encode())


@settings(max_examples=500, deadline=None)
@given(st.dictionaries(st.sampled_from(field_names), json_values, max_size=5))
def test_any_value_in_any_field_is_taken_or_refused_by_name(fields: dict[str, Any]) -> None:
    refused = refusal(SMALL | fields)
    if refused is not None:
        assert all(p.pointer.startswith("/") and p.detail for p in refused.problems)
        assert str(refused).encode()
        return
    # What is taken can be stored as it is: valid UTF-8 without NUL, finite numbers.
    stored = parse_spec(SMALL | fields).stored()
    assert "\\u0000" not in json.dumps(stored, allow_nan=False)
    assert json.dumps(stored, ensure_ascii=False).encode()


def test_a_value_nested_beyond_reason_is_refused_without_recursion() -> None:
    deep: Any = "x"
    for _ in range(100_000):
        deep = [deep]
    assert "/args" in next(iter(problems(args=deep)))
