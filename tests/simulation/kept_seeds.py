"""Seeds that broke when a mended decision was put back, each with what it found.

They run in every `make test`. A seed is a run of this code: a change of the loop or of the
plots makes another run of it, which is why each fault found has a test of its own, too.
"""

from __future__ import annotations

KEPT: dict[int, str] = {
    1: "A process that drove no provider asked for no pause between its rounds: it never rested.",
    227: "A container was removed before its start and the reply was lost: whoever found none "
    "took it for removed by someone outside, and the job failed.",
    396: "Of an attempt whose container was gone at a takeover nothing said that its log "
    "lacks what had not been read.",
    494: "As 227, with the process killed between the removal and the commit of the end.",
    615: "As 396, in `starting`.",
    33302: "The simulation's own: an image was there, and was not found when its container, "
    "removed by hand, was made again.",
}
