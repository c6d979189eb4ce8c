"""Very many jobs that are as unlike as can be, and every filter and order to look at them."""

from __future__ import annotations

from django.contrib.auth.models import User

from projects.models import Project
from tests.support.builders import make_job, make_project, make_provider, make_user
from tests.support.many_jobs import add_many_jobs

WORDS = [
    "state:failed", "state:cancelled", "state:pending,running", "-state:completed",
    "project:etl", "project:small", "-project:etl", "provider:node-1", "provider:node-2",
    "-provider:node-1", "by:ada", "by:bob", "-by:ada", "name:load", "name:ancient", "-name:load",
    "label:debug", "-label:debug", "label:old", "label:tier=gold", "-label:old",
    "since:24h", "until:60d", "since:40d until:30d", "load", "ancient", "-load", "4711", "zzz",
    "-label:debug -label:old", "state:failed -label:debug", "project:small -label:debug",
    "state:running,failed label:old", "by:ada -load until:10d",
]  # fmt: skip
ORDERS = {
    "newest": WORDS,
    "oldest": WORDS,
    "longest-running": ["state:running", "state:running -label:debug", "state:running project:etl"],
    "longest-waiting": ["state:pending", "state:pending -label:debug", "state:pending by:bob"],
    "queue": ["state:pending", "state:pending label:debug", "state:pending project:small"],
}


def add_skewed_jobs(number: int, ada: User) -> tuple[Project, Project]:
    """So many jobs of ada's; the project of nearly all, and that of six of them."""
    etl, small = make_project("etl"), make_project("small")
    first, second = make_provider("node-1"), make_provider("node-2")
    pattern = make_job(project=etl, provider=first, state="completed", submitted_by=ada)
    rare = f"CASE WHEN n <= 5 OR n = {number - 40} THEN {{}} ELSE {{}} END"
    add_many_jobs(
        pattern,
        number,
        **_columns(number),
        project_id=rare.format(small.pk, etl.pk),
        provider_id=rare.format(second.pk, first.pk),
        submitted_by_id=rare.format(make_user("bob").pk, ada.pk),
    )
    return etl, small


def _columns(number: int) -> dict[str, str]:
    half = number // 2
    return {
        # Two of a thousand have failed, the oldest three are cancelled; what lives is at the end.
        "state": f"CASE WHEN n > {number - 20} THEN 'pending' WHEN n > {number - 50} THEN 'running'"
        " WHEN n <= 3 THEN 'cancelled' WHEN n % 500 = 0 THEN 'failed' ELSE 'completed' END",
        "finished_at": f"CASE WHEN n > {number - 50} THEN NULL ELSE p.finished_at END",
        "started_at": f"now() - ({number} - n) * interval '30 seconds'",
        "run_seconds": f"CASE WHEN n <= {number - 50} THEN 20 + n % 40 END",
        # Half of them in the last day.
        "created_at": f"now() - ({number + 1} - n) * interval '1 second'"
        f" * CASE WHEN n > {half} THEN {70_000 / half:.4f} ELSE {3_000_000 / half:.4f} END",
        "priority": "n % 100",
        # A name of all but the oldest hundred, and one of those.
        "name": "CASE WHEN n <= 100 THEN 'ancient-' || n ELSE 'load-orders-' || n % 1000 END",
        # Labels of the newest half, of the oldest half, and of three very old ones.
        "labels": 'CASE WHEN n IN (11, 12, 13) THEN \'{"tier": "gold"}\'::jsonb'
        f' WHEN n > {3 * number // 10} THEN \'{{"debug": "1"}}\'::jsonb'
        ' ELSE \'{"old": "1"}\'::jsonb END',
    }
