"""One example for every operation of the API. A test holds each against its schema."""

from __future__ import annotations

from typing import Any

from jobs import hello
from orchestrator.project_examples import NEW_PROJECT, PAUSED, PROJECT

_JSON = "application/json"

SPEC: dict[str, Any] = {
    "name": "nightly-report",
    "image": hello.IMAGE,
    "script": "echo working; sleep 2; echo done",
    "env": {"LANG": "C.UTF-8"},
    "secret_env": {"API_KEY": "not-shown-again"},
    "resources": {"cpu_cores": 0.5, "memory_mb": 256, "timeout_seconds": 3600},
    "retry": {"max_attempts": 3, "backoff_seconds": 30, "on": [75, "oom_killed"]},
    "labels": {"team": "data"},
}
_STORED: dict[str, Any] = {
    "spec_version": 1,
    "project": "default",
    "name": "nightly-report",
    "image": hello.IMAGE,
    "command": None,
    "script": "echo working; sleep 2; echo done",
    "args": [],
    "env": {"LANG": "C.UTF-8"},
    "secret_env_names": ["API_KEY"],
    "working_dir": "",
    "user": "",
    "resources": {"cpu_cores": 0.5, "memory_mb": 256, "gpus": 0, "timeout_seconds": 3600},
    "network": "bridge",
    "mounts": [],
    "profile": "standard",
    "priority": 50,
    "labels": {"team": "data"},
    "provider": None,
    "requires": [],
    "concurrency": None,
    "anti_affinity": [],
    "retry": {"max_attempts": 3, "backoff_seconds": 30, "on": [75, "oom_killed"]},
    "queue_timeout_seconds": None,
    "hold": False,
}
_JOB: dict[str, Any] = {
    "id": 42,
    "name": "nightly-report",
    "state": "completed",
    "reason": "succeeded",
    "reason_text": "Finished with exit code 0.",
    "exit_code": 0,
    "project": "default",
    "provider": "local",
    "provider_id": 1,
    "attempt": 1,
    "image": hello.IMAGE,
    "labels": {"team": "data"},
    "priority": 50,
    "held": False,
    "created_at": "2026-01-31T12:00:00.000Z",
    "queued_at": "2026-01-31T12:00:00.000Z",
    "not_before": None,
    "started_at": "2026-01-31T12:00:00.120Z",
    "finished_at": "2026-01-31T12:00:02.150Z",
    "run_seconds": 2.03,
    "cancel_requested_at": None,
    "cancel_requested_by": None,
    "submitted_by": "ada",
    "rerun_of": None,
    "rev": 7,
    "told_rev": "7",
}
_DETAIL = _JOB | {"pinned_to": None, "spec": _STORED}
_WAITING = {
    "state": "pending",
    "reason": "queued",
    "reason_text": "Waiting for the scheduler's next look.",
    "exit_code": None,
    "provider": None,
    "provider_id": None,
    "attempt": 0,
    "started_at": None,
    "finished_at": None,
    "run_seconds": None,
    "rev": 1,
    "told_rev": "1-12-2",
}
_SUBMITTED = _DETAIL | _WAITING
_HELD = _SUBMITTED | {
    "reason": "held",
    "reason_text": "Held. Release it to let it run. ada wrote “after the migration”.",
    "held": True,
    "rev": 2,
    "told_rev": "2",
}
_CANCELLING = _DETAIL | {
    "state": "running",
    "reason": "",
    "reason_text": "",
    "exit_code": None,
    "finished_at": None,
    "run_seconds": None,
    "cancel_requested_at": "2026-01-31T12:00:01.000Z",
    "cancel_requested_by": "ada",
    "rev": 6,
    "told_rev": "6",
}
_LOST = _DETAIL | {
    "state": "failed",
    "reason": "provider_lost",
    "reason_text": "Its provider local was given up for lost: ada force-finished it; it had not "
    "been seen since 2026-01-31 12:00:01 UTC.",
    "exit_code": None,
    "run_seconds": None,
}
_ATTEMPT: dict[str, Any] = {
    "number": 1,
    "phase": "ended",
    "outcome": "completed",
    "reason": "succeeded",
    "reason_text": "Finished with exit code 0.",
    "exit_code": 0,
    "provider": "local",
    "provider_id": 1,
    "progress": {},
    "phases": {
        "placed": "2026-01-31T12:00:00.010Z",
        "pulling": None,
        "creating": "2026-01-31T12:00:00.020Z",
        "starting": "2026-01-31T12:00:00.060Z",
        "running": "2026-01-31T12:00:00.120Z",
        "finishing": "2026-01-31T12:00:02.150Z",
        "ended": "2026-01-31T12:00:02.180Z",
    },
    "started_at": "2026-01-31T12:00:00.120Z",
    "finished_at": "2026-01-31T12:00:02.150Z",
    "run_seconds": 2.03,
    "not_seen_since": None,
    "removed_at": "2026-01-31T12:00:02.400Z",
    "removal_error": None,
    "use": {
        "cpu_cores_peak": 0.48,
        "memory_bytes_peak": 71_303_168,
        "memory_peak_at": "2026-01-31T12:00:01.900Z",
    },
    "log": {
        "seq": 2,
        "lines": 2,
        "stdout_bytes": 13,
        "stderr_bytes": 0,
        "complete": True,
        "note": None,
    },
}
_STATS: dict[str, Any] = {
    "attempt": 1,
    "limits": {"cpu_cores": 0.5, "memory_bytes": 268_435_456},
    "use": _ATTEMPT["use"],
    "items": [
        {"at": "2026-01-31T12:00:01.900Z", "cpu_cores": 0.48, "memory_bytes": 71_303_168},
    ],
    "next_cursor": None,
}
_EVENT: dict[str, Any] = {
    "id": 101,
    "at": "2026-01-31T12:00:00.000Z",
    "type": "job.submitted",
    "from": None,
    "to": "pending",
    "reason": None,
    "reason_text": None,
    "detail": {},
    "actor_kind": "token",
    "actor": "ada",
    "via": "api",
    "request_id": "8f14e45fceea167a5a36dedd4bea2543",
}
_PROVIDER: dict[str, Any] = {
    "id": 1,
    "name": "local",
    "kind": "docker",
    "mode": "active",
    "health": "healthy",
    "last_error": "",
    "last_error_at": None,
    "probed_at": "2026-01-31T12:00:00.000Z",
    "unreachable_since": None,
    "version": "28.0",
    "labels": {"zone": "a"},
    "options": {"base_url": "unix:///var/run/docker.sock"},
    "mount_allow_list": [],
    "cpu_millis": 4000,
    "memory_mb": 16000,
    "gpus": 0,
    "slots": None,
    "lost_after_seconds": None,
    "group": "rack-a",
    "strategy": "pack",
    "cost_per_hour": 0.35,
    "used": {"running": 1, "cpu_millis": 500, "memory_mb": 256, "gpus": 0},
    "disk_free_bytes": 50_000_000_000,
    "disk_total_bytes": 100_000_000_000,
    "clock_offset_ms": 1,
    "facts": {"os": "linux"},
    "rev": 3,
    "created_at": "2026-01-31T11:00:00.000Z",
}
_REQUEST: dict[str, Any] = {
    "id": 7,
    "kind": "probe",
    "provider": "local",
    "provider_id": 1,
    "status": "waiting",
    "message": "Waiting for an engine process.",
    "steps": [],
    "result": {},
    "created_at": "2026-01-31T12:00:00.000Z",
    "deadline": "2026-01-31T12:00:30.000Z",
    "finished_at": None,
}
_PROVIDER_IN: dict[str, Any] = {
    "name": "build-host",
    "kind": "docker",
    "options": {"base_url": "tcp://build-host:2376", "tls_ca": "/etc/gantry/ca.pem"},
    "labels": {"zone": "b"},
    "slots": 8,
}
_WHY: dict[str, Any] = {
    "job": 42,
    "state": "pending",
    "reason": "no_capacity",
    "reason_text": ("Waiting for room: needs 1 CPU, 4 GiB; the capacity of node-2 is in use."),
    "held_up_by": None,
    "place": 3,
    "waiting": 17,
    "ways_out": [
        "Fits on node-2 when job 37 ends.",
        "Would start on node-2 now with 2 GiB less.",
    ],
    "providers": [
        {
            "id": 2,
            "name": "node-2",
            "answer": "full",
            "text": "It needs 2 GiB more.",
            "free": {"cpu_millis": 3000, "memory_mb": 2048, "gpus": 0},
            "short_of": {"cpu_millis": 0, "memory_mb": 2048, "gpus": 0, "slots": 0},
        }
    ],
    "history": [
        {
            "reason": "no_capacity",
            "reason_text": (
                "Waiting for room: needs 1 CPU, 4 GiB; the capacity of node-2 is in use."
            ),
            "since": "2026-01-31T12:00:00.000Z",
            "until": None,
        }
    ],
}
REQUESTS: dict[str, Any] = {
    "jobs_api_job_submit": SPEC,
    "jobs_api_job_submit_many": {"jobs": [SPEC, SPEC | {"name": "weekly-report"}]},
    "jobs_api_why_job_dry_run": SPEC,
    "jobs_api_job_rerun": {"env": {"LANG": "C"}, "priority": 80},
    "orchestrator_api_projects_project_new": {
        "slug": "etl",
        "name": "Loading data",
        "admin": "ada",
    },
    "orchestrator_api_projects_project_limits": {"weight": 200, "running": 10, "gpus": None},
    "orchestrator_api_projects_project_pauses": {"note": PAUSED["note"]},
    "jobs_api_job_hold": {"note": "after the migration"},
    "jobs_api_job_reprioritise": {"priority": 80},
    "jobs_api_job_move": {"provider": "build-host"},
    "providers_api_provider_create": _PROVIDER_IN,
    "providers_api_provider_update": {"slots": 4, "labels": {"zone": "c"}},
}
_LINE = {
    "seq": 1,
    "line": 1,
    "time": "2026-01-31T12:00:00.130000000Z",
    "stream": "stdout",
    "text": "working",
    "starts": True,
    "ends": True,
}
RESPONSES: dict[str, dict[str, Any]] = {
    "index": {
        _JSON: {
            "name": "Gantry",
            "version": "v1",
            "whoami": "/api/v1/whoami",
            "jobs": "/api/v1/jobs",
            "projects": "/api/v1/projects",
            "providers": "/api/v1/providers",
            "openapi": "/api/v1/openapi.json",
            "docs": "/api/v1/docs",
        }
    },
    "whoami": {
        _JSON: {
            "user": "ada",
            "kind": "token",
            "may_operate": False,
            "projects": [{"slug": "default", "name": "Default", "role": "submitter"}],
        }
    },
    "jobs_api_job_submit": {_JSON: _SUBMITTED},
    "jobs_api_job_submit_many": {_JSON: {"ids": [42, 43]}},
    "jobs_api_job_list": {_JSON: {"items": [_JOB], "next_cursor": None, "searched_to": None}},
    "jobs_api_job_detail": {_JSON: _DETAIL},
    "jobs_api_why_job_why": {_JSON: _WHY},
    "jobs_api_why_job_dry_run": {
        _JSON: {
            "starts": False,
            "provider": None,
            "text": "Waits until others end: node-2 is 2 GiB short",
            "forbidden": None,
            "held_up_by": None,
            "place": 18,
            "ways_out": _WHY["ways_out"],
            "providers": _WHY["providers"],
        }
    },
    "jobs_api_job_execute": {_JSON: _SUBMITTED},
    "jobs_api_job_hold": {_JSON: _HELD},
    "jobs_api_job_release": {_JSON: _SUBMITTED | {"rev": 3, "told_rev": "3-12-2"}},
    "jobs_api_job_reprioritise": {
        _JSON: _SUBMITTED | {"priority": 80, "rev": 2, "told_rev": "2-13-1"}
    },
    "jobs_api_job_move": {
        _JSON: _SUBMITTED | {"pinned_to": "build-host", "rev": 2, "told_rev": "2-14-1"}
    },
    "jobs_api_job_cancel": {_JSON: _CANCELLING},
    "jobs_api_job_force_finish": {_JSON: _LOST},
    "jobs_api_job_rerun": {_JSON: _SUBMITTED | {"id": 43, "rerun_of": 42}},
    "jobs_api_job_attempts": {_JSON: {"items": [_ATTEMPT], "next_cursor": None}},
    "jobs_api_job_events": {_JSON: {"items": [_EVENT], "next_cursor": None}},
    "jobs_api_job_stats": {_JSON: _STATS},
    "jobs_api_job_logs": {
        "text/plain": "working\ndone\n",
        "application/x-ndjson": _LINE,
        "application/gzip": "",
    },
    "orchestrator_api_projects_project_new": {_JSON: NEW_PROJECT},
    "orchestrator_api_projects_project_list": {_JSON: {"items": [PROJECT], "next_cursor": None}},
    "orchestrator_api_projects_project_detail": {_JSON: PROJECT},
    "orchestrator_api_projects_project_limits": {
        _JSON: PROJECT
        | {
            "weight": 200,
            "limits": PROJECT["limits"] | {"running": 10},
            "warnings": ["17 run now: nothing new starts until fewer than 10 run."],
        }
    },
    "orchestrator_api_projects_project_pauses": {_JSON: PROJECT | {"paused": PAUSED}},
    "orchestrator_api_projects_project_resumes": {_JSON: PROJECT},
    "providers_api_provider_create": {_JSON: _PROVIDER | {"id": 2, "name": "build-host"}},
    "providers_api_provider_list": {_JSON: {"items": [_PROVIDER], "next_cursor": None}},
    "providers_api_provider_detail": {_JSON: _PROVIDER},
    "providers_api_provider_update": {_JSON: _PROVIDER | {"slots": 4}},
    "providers_api_provider_activate": {_JSON: _PROVIDER},
    "providers_api_provider_deactivate": {_JSON: _PROVIDER | {"mode": "inactive"}},
    "providers_api_provider_drain": {_JSON: _PROVIDER | {"mode": "draining"}},
    "providers_api_provider_probe": {_JSON: _REQUEST},
    "providers_api_provider_sweep": {_JSON: _REQUEST | {"kind": "sweep"}},
    "providers_api_engine_request": {
        _JSON: _REQUEST | {"status": "done", "message": "Done.", "finished_at": _JOB["finished_at"]}
    },
}
