"""What every template uses: icons, times that tick, amounts, and bars drawn as SVG.

Nothing here writes a style attribute: the content policy forbids it, so sizes are SVG
attributes and colours are classes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from functools import cache

from django import template
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from projects import quantities, zones
from projects.markup import markup

register = template.Library()

# The running shape stands in the page itself, so that its ring can turn.
_RUNNING = mark_safe(
    '<svg class="st s-running" viewBox="0 0 16 16" aria-hidden="true">'
    '<circle cx="8" cy="8" r="6" opacity=".3"/><path class="spin" d="M8 2a6 6 0 0 1 6 6"/>'
    '<circle cx="8" cy="8" r="2.6" fill="currentColor" stroke="none"/></svg>'
)


@register.simple_tag
@cache
def icon(name: str) -> SafeString:
    """A line icon of the sprite; decoration only, so hidden from screen readers.

    Kept, as is a shape: a list has hundreds, and an address of a static file costs more to
    make than all else of them.
    """
    return markup(
        '<svg class="i" aria-hidden="true"><use href="{}#i-{}"/></svg>',
        static("img/sprite.svg"),
        name,
    )


@register.simple_tag
def logo() -> SafeString:
    """The gantry."""
    return markup('<svg aria-hidden="true"><use href="{}#logo"/></svg>', static("img/sprite.svg"))


@register.simple_tag
@cache
def shape(name: str) -> SafeString:
    """A state's shape (pending, held, scheduled, running, completed, failed, cancelled, warn)."""
    if name == "running":
        return _RUNNING
    return markup(
        '<svg class="st s-{0}" viewBox="0 0 16 16" aria-hidden="true">'
        '<use href="{1}#st-{0}"/></svg>',
        name,
        static("img/sprite.svg"),
    )


@register.simple_tag
def favicon(name: str) -> str:
    """The address of the tab's icon for a state."""
    return static(f"img/state/{name}.svg")


@register.filter
def ago(moment: datetime | None) -> SafeString | str:
    """How long since, ticking in the page: "5 min ago"."""
    return _ticking(moment, "ago")


@register.filter
def age(moment: datetime | None) -> SafeString | str:
    """How old, ticking in the page: "5 min"."""
    return _ticking(moment, "age")


@register.filter
def since(moment: datetime | None) -> SafeString | str:
    """How long it has lasted, ticking in the page: "6 min 41 s"."""
    return _ticking(moment, "since")


@register.filter
def until(moment: datetime | None) -> SafeString | str:
    """How long until then, ticking down: "in 22 s", at last "now"."""
    return _ticking(moment, "until")


def _ticking(moment: datetime | None, sense: str) -> SafeString | str:
    """A <time> that static/js/clock.js keeps going, from its age when it was rendered.

    The age travels rather than a stamp alone, so a wrong clock in the browser shows no
    wrong time.
    """
    if moment is None:
        return "–"
    seconds = (timezone.now() - moment).total_seconds()
    if sense in ("age", "ago"):
        text = quantities.age_text(seconds) + (" ago" if sense == "ago" else "")
    elif sense == "until":
        text = f"in {quantities.duration_text(-seconds)}" if seconds < 0 else "now"
    else:
        text = quantities.duration_text(seconds)
    return markup(
        '<time datetime="{}" title="{}" data-age="{}" data-sense="{}">{}</time>',
        moment.isoformat(timespec="milliseconds"),
        zones.moment_text(moment),
        f"{seconds:.1f}",
        sense,
        text,
    )


@register.filter
def stamp(moment: datetime | None) -> SafeString | str:
    """A time of day, the date in its title: "14:03:12"."""
    return "–" if moment is None else _time(moment, zones.clock_text(moment))


@register.filter
def day(moment: datetime | None) -> SafeString | str:
    """A day, its time in its title: "2026-11-26"."""
    return "–" if moment is None else _time(moment, zones.moment_text(moment)[:10])


@register.filter
def day_and_time(moment: datetime | None) -> SafeString | str:
    """A day and a time on it: "14 Nov 12:03"."""
    return "–" if moment is None else _time(moment, zones.day_and_time_text(moment))


def _time(moment: datetime, text: str) -> SafeString:
    return markup(
        '<time datetime="{}" title="{}">{}</time>',
        moment.isoformat(timespec="milliseconds"),
        zones.moment_text(moment),
        text,
    )


@register.filter
def duration(seconds: object) -> str:
    """A length of time in words; a dash for what is none."""
    return quantities.duration_text(seconds) if isinstance(seconds, int | float) else "–"


@register.filter
def memory(mebibytes: float | None) -> str:
    """MiB in words."""
    return "–" if mebibytes is None else quantities.memory_text(mebibytes)


@register.filter
def cores(millis: float | None) -> str:
    """Thousandths of a core in words."""
    return "–" if millis is None else quantities.cores_text(millis)


@register.filter
def size(count: float | None) -> str:
    """Bytes in words."""
    return "–" if count is None else quantities.bytes_text(count)


@register.filter
def inline_code(words: str) -> SafeString:
    """Words with what stands `so` in them as code; nothing else of Markdown is read."""
    return SafeString(re.sub("`([^`]+)`", r"<code>\1</code>", escape(words)))


@register.filter
def pairs(mapping: Mapping[str, object] | None) -> list[tuple[str, object]]:
    """Key and value of a stored mapping, in order of the keys.

    Not `.items`: a template asks a mapping for the key "items" first, and people may have one.
    """
    return sorted((mapping or {}).items())


@register.simple_tag
def bar(part: float | None, whole: float | None, kind: str = "used") -> SafeString:
    """How much of a whole is taken. The numbers stand beside it, so it is decoration."""
    share = 100 * min(1.0, max(0.0, (part or 0) / whole)) if whole else 0.0
    over = " over" if whole and (part or 0) > whole else ""
    return markup(
        '<svg class="cap{}" aria-hidden="true"><rect class="{}" width="{}%" height="100%"/></svg>',
        over,
        kind,
        f"{share:.1f}",
    )


@register.simple_tag
def layers(used: float | None, given: float | None, whole: float | None) -> SafeString:
    """How much of a whole is given out, and before it how much of that is used. The numbers
    stand beside it, so it is decoration."""
    if not whole:
        return SafeString('<svg class="cap" aria-hidden="true"></svg>')
    shares = [100 * min(1.0, max(0.0, (part or 0) / whole)) for part in (given, used)]
    return markup(
        '<svg class="cap{}" aria-hidden="true">'
        '<rect class="reserved" width="{}%" height="100%"/>'
        '<rect class="used" width="{}%" height="100%"/></svg>',
        " over" if (given or 0) > whole else "",
        f"{shares[0]:.1f}",
        f"{shares[1]:.1f}",
    )
