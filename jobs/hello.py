"""The first job of a new instance: ten lines from a small container."""

from __future__ import annotations

from typing import Any

# The image that `manage.py up` makes (orchestrator/local/image.py); written out here
# because that module brings an engine's SDK along, which web never loads.
IMAGE = "gantry/hello:latest"
SCRIPT = """\
echo "Hello from $(hostname)"
for i in 1 2 3 4 5 6 7 8 9; do
  sleep 0.5
  echo "line $i of 9"
done
"""


def hello_spec(project: str) -> dict[str, Any]:
    """The job, in a project."""
    return {
        "name": "hello-world",
        "project": project,
        "image": IMAGE,
        "script": SCRIPT,
        "resources": {"cpu_cores": 0.25, "memory_mb": 64, "timeout_seconds": 300},
    }
