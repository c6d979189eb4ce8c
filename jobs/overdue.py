"""Reading which jobs have waited so long that something is kept for them."""

from __future__ import annotations

import json

from jobs.kept_free import Overdue
from jobs.sql import fetch
from jobs.unsubmitted import need_of_demand

MOST_OVERDUE = 200
"""For no more of them is it looked what is kept."""
FOR_ROOM = frozenset({"apart", "kept_free", "no_capacity"})


def overdue_jobs() -> list[Overdue]:
    """The one first that has waited longest."""
    found = []
    for job, waiting, project, text, reason, what in fetch("overdue", {"most": MOST_OVERDUE}):
        demand = json.loads(text)
        key = demand["key"]
        found.append(
            Overdue(
                job=job,
                waiting=waiting,
                project=project,
                need=need_of_demand(demand),
                key=key,
                for_room=reason in FOR_ROOM,
                has_key=reason != "key_limit" and (key is None or what != f"the key {key['name']}"),
            )
        )
    return found
