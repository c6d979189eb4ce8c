"""The program of a campaign's job: it testifies that it started, prints, and says what it
has printed."""

from __future__ import annotations

import hashlib

FOLDER = "/oracle"
"""Where the host's folder is mounted in the container."""
STARTS = "starts"
LABEL = b"sha256 "

_PROGRAM = """\
nonce=$(cat /proc/sys/kernel/random/uuid)
echo "$GANTRY_ATTEMPT_UID $nonce" >> {folder}/{starts}
say() {{ echo "$1"; echo "$1" >> /tmp/out; }}
cry() {{ echo "$1" >&2; echo "$1" >> /tmp/err; }}
say "$nonce"
cry "$nonce"
i=1
while [ $i -le {lines} ]; do say "line $i"; cry "error $i"; sleep {pause}; i=$((i+1)); done
{then}
echo "sha256 $(sha256sum < /tmp/out | cut -d' ' -f1)"
echo "sha256 $(sha256sum < /tmp/err | cut -d' ' -f1)" >&2
exit {exit_code}
"""


def script(*, lines: int = 8, pause: float = 0.05, then: str = ":", exit_code: int = 0) -> str:
    """The shell script. `then` is done after the lines, `pause` (seconds) after each."""
    return _PROGRAM.format(
        folder=FOLDER, starts=STARTS, lines=lines, pause=pause, then=then, exit_code=exit_code
    )


def nonce_of(log: bytes) -> str:
    """What the start that printed this called itself; empty when nothing was printed."""
    return log.split(b"\n", 1)[0].decode() if b"\n" in log else ""


def wrong_with(log: bytes) -> str:
    """What is wrong with a whole log by its own last line; empty when it is right."""
    body, label, told = log.rpartition(LABEL)
    if not label or not told.endswith(b"\n"):
        return f"it does not end with its hash but with {log[-40:]!r}"
    if hashlib.sha256(body).hexdigest().encode() != told.strip():
        return f"its {len(body)} bytes are not what the program printed"
    return ""
