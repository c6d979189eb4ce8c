"""What to do about a provider that fails: advice for the words of its driver. Pure.

The words stay as they are and stand first; the advice is what an operator would try next.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_LOCAL = "unix://"

_BY_WORDS: tuple[tuple[str, str], ...] = (
    (
        r"tls: a client",
        "Give the paths of both, certificate and key, or of neither.",
    ),
    (
        r"tls: the .* are no",
        "Give a certificate and the key that belongs to it, both in PEM, the key without a "
        "password.",
    ),
    (
        r"tls: the ",
        "Mend the path, or put the file there: on each machine on which an engine process runs, "
        "and so that its user may read it.",
    ),
    (
        r"does not speak tls",
        "Give it no CA and no certificate, or let the engine listen with TLS.",
    ),
    (
        r"http request to an https server",
        "The engine speaks TLS: give its CA, and a client certificate with its key.",
    ),
    (
        r"broke off the tls handshake",
        "Give a client certificate, and its key, of the CA that the engine trusts.",
    ),
    (
        r"not trusted: .*(not valid for|mismatch)",
        "Its certificate is made for another name: use that name as the address, or have a "
        "certificate made for this one.",
    ),
    (
        r"not trusted: .*(expired|not yet valid)",
        "Renew the engine's certificate, and see that both clocks are right.",
    ),
    (
        r"not trusted",
        "Give the CA that has signed the engine's certificate; its path is on the engine "
        "process's machine.",
    ),
    (
        r"permission denied",
        "The engine process may not use that socket. Let its user into the group that owns the "
        "socket (usually `docker`), then start Gantry again.",
    ),
    (
        r"no such file or directory",
        "There is no such socket on the engine process's machine. Start the engine there, or "
        "mend the address.",
    ),
    (
        r"connection refused",
        "The machine is there and nothing listens at that address. Start the engine, and see "
        "that it listens on this port.",
    ),
    (
        r"did not answer in time|timed out|no route to host|network is unreachable",
        "Nothing comes back from that address. See that the machine is up and that no firewall "
        "is between it and the engine process.",
    ),
    (
        r"name or service not known|name resolution|nodename nor servname|no address associated",
        "The engine process cannot look that name up. Mend the name, or use the address.",
    ),
    (
        r"certificate|tls|ssl",
        "The two do not trust each other. Check the paths of CA, certificate and key on the "
        "engine process's machine, and that the certificate is made for this name.",
    ),
    (
        r"no engine process|not answered in time",
        "Start `manage.py orchestrate` (or `make up`), then test it again.",
    ),
    (r"no docker engine", "Something else listens there. Mend the address or its port."),
    (r"no docker context", "Create that context on the engine process's machine, or name another."),
    (
        r"older than",
        "Upgrade the engine; what runs goes on meanwhile.",
    ),
    (
        r"no such image|not found|manifest unknown|does not exist",
        "Name an image that this engine can have: one that is there already, or one of a "
        "registry that it reaches.",
    ),
    (
        r"denied|unauthorized|login",
        "Set a login to that registry on this provider's page, or test with a public image.",
    ),
    (
        r"registry",
        "The engine cannot reach that registry. Test with an image that is there already.",
    ),
    (r"no space left|disk", "Free disk space on the engine's machine, then test it again."),
)

_BY_STEP: Mapping[str, str] = {
    "reach": "See that the engine is up and that the address is right.",
    "pull": "Test with an image that is there already.",
    "run": "The engine is reached, and a small program does not run there. Run the same image by "
    "hand on that machine; its own log has the cause.",
    "log": "The program ran and its output did not come back. See the engine's log driver: it "
    "must allow `local`.",
}


def remedy(words: str, *, step: str = "reach", options: Mapping[str, Any] | None = None) -> str:
    """What to do next about an error in these words, met at that step of a test."""
    lowered = words.lower()
    for pattern, advice in _BY_WORDS:
        if re.search(pattern, lowered):
            return advice
    address = str((options or {}).get("base_url") or "")
    if step == "reach" and not address.startswith(_LOCAL) and address:
        return f"See that an engine listens at {address} and that this machine may reach it."
    return _BY_STEP.get(step, "")
