"""Which lines of a log tell of an error or a warning. Pure.

The patterns are written so that RE2 (the search) and a browser (the colours of the lines
on the page, which get them from the template) read them alike.
"""

from __future__ import annotations


def _level(capitals: str, words: str, glog: str) -> str:
    """The ways in which loggers and compilers name a level near the beginning of a line."""
    return "|".join(
        (
            rf"^.{{0,60}}?\b(?:{capitals})\b",
            rf'\b(?:level|lvl|severity)"?[=: ]+"?(?:{words})\b',
            rf"^.{{0,60}}?\[(?:{words})\]",
            rf"^(?:.{{0,60}}?[\s:])?(?:{words})(?:\[[\w.-]+\])?: ",
            rf"^(?:{words})(?:  |\t)",
            rf"^(?:##\[|::)(?:{words})\b",
            rf"^{glog}\d{{4}} \d\d:",
        )
    )


WARNING = _level("WARN|WARNING", "[Ww]arn|[Ww]arning", "W") + r"|^\s*\w+Warning: "
"""A line that warns."""

ERROR = (
    _level(
        "ERROR|ERR|FATAL|CRITICAL|PANIC|SEVERE|EMERG|ALERT",
        "[Ee]rror|fatal|fatal error|critical|panic|crit|emerg|alert",
        "[EF]",
    )
    + r"|^\s*Traceback \(most recent call last\)"
    + r"|^(?:[\w$]+\.)*[A-Z][\w$]*(?:Error|Exception)(?:: |$)"
    + r"|^(?:Exception in thread |Unhandled exception|[Ss]egmentation fault|Killed$|npm ERR!)"
    + r"|^thread '[^']*' panicked"
)
"""A line whose level is error or worse, or with which a traceback begins."""
