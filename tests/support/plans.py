"""What the database does for a statement, as EXPLAIN ANALYZE tells it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.db import connection

Values = Mapping[str, Any] | Sequence[Any] | None


def nodes_of(statement: str, values: Values = None) -> Iterator[dict[str, Any]]:
    """The parts of the plan of a statement, which is executed."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", values)
        ((plans,),) = cursor.fetchall()
    nodes = [plan["Plan"] for plan in (json.loads(plans) if isinstance(plans, str) else plans)]
    while nodes:
        node = nodes.pop()
        nodes += node.get("Plans", ())
        yield node


def looked_at(table: str, statement: str, values: Values = None) -> int:
    """How many rows of a table a statement read, those that it passed over among them."""
    number = 0.0
    for node in nodes_of(statement, values):
        if node.get("Relation Name") == table:
            passed = node.get("Rows Removed by Filter", 0)
            passed += node.get("Rows Removed by Index Recheck", 0)
            number += (node["Actual Rows"] + passed) * node["Actual Loops"]
    return round(number)
