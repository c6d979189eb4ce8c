"""Submit one job over the API and wait until it has completed; prints its log.

    GANTRY_TOKEN=… python3 deploy/first_job.py http://127.0.0.1:8000 [PROVIDER]

Needs nothing but Python. Exits 0 when the job completed (on that provider, if one is
named) and its whole log was read.
"""

from __future__ import annotations

import json
import os
import sys
import time
import urllib.request
from typing import Any

LINES = 5
DEADLINE_SECONDS = 60
JOB = {
    "name": "first-job",
    "project": "default",
    "image": "gantry/hello:latest",
    "script": f"for i in $(seq {LINES}); do echo line $i; sleep 0.2; done",
}


def main(url: str, token: str, provider: str = "") -> int:
    """Run the job; 0 when all went well."""
    job = json.loads(_call(f"{url}/api/v1/jobs", token, JOB))
    deadline = time.monotonic() + DEADLINE_SECONDS
    while job["state"] not in ("completed", "failed", "cancelled"):
        if time.monotonic() > deadline:
            break
        time.sleep(0.2)
        job = json.loads(_call(f"{url}/api/v1/jobs/{job['id']}", token))
    log = _call(f"{url}/api/v1/jobs/{job['id']}/logs", token)
    _say(f"job {job['id']} is {job['state']} on {job['provider']}: {job['reason_text']}")
    _say(log)
    whole = all(f"line {number}" in log for number in range(1, LINES + 1))
    there = provider in ("", job["provider"])
    return 0 if job["state"] == "completed" and whole and there else 1


def _call(url: str, token: str, body: dict[str, Any] | None = None) -> str:
    request = urllib.request.Request(url, data=json.dumps(body).encode() if body else None)
    request.add_header("Authorization", f"Bearer {token}")
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=10) as answer:
        return str(answer.read().decode())


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1].rstrip("/"), os.environ["GANTRY_TOKEN"], *sys.argv[2:3]))
