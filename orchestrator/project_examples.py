"""Projects as the API's document shows them."""

from __future__ import annotations

from typing import Any

PROJECT: dict[str, Any] = {
    "slug": "default",
    "name": "Default",
    "weight": 100,
    "limits": {
        "running": 20,
        "cpu_cores": 8.0,
        "memory_mb": 32_768,
        "gpus": None,
        "queued": 1000,
        "submits_per_minute": 60,
    },
    "used": {
        "running": 17,
        "cpu_cores": 6.5,
        "memory_mb": 17_408,
        "gpus": 0,
        "queued": 40,
        "submits_per_minute": 3,
    },
    "paused": None,
    "warnings": [],
}
NEW_PROJECT: dict[str, Any] = PROJECT | {
    "slug": "etl",
    "name": "Loading data",
    "limits": dict.fromkeys(PROJECT["limits"]),
    "used": dict.fromkeys(PROJECT["used"], 0) | {"cpu_cores": 0.0, "submits_per_minute": None},
}
PAUSED = {"at": "2026-01-31T12:00:00.000Z", "by": "ada", "note": "the file server is down"}
