"""A provider's last day as a chart: what was given out and what was used, against its limit.

Quarters of an hour, each the mean of its samples, as SVG paths in a box WIDTH by HEIGHT; a
stretch without a sample is a gap. Values for a template; no markup.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Avg, DurationField, ExpressionWrapper, F, Func, IntegerField
from django.db.models.functions import Now

from projects.quantities import cores_text, memory_text
from providers.models import HealthSample, Provider

HOURS = 24
STEPS = 96
WIDTH, HEIGHT = 960, 100
_STEP_SECONDS = HOURS * 3600 // STEPS
_HEADROOM = 1.08

Means = tuple[float | None, float | None]
"""Of a quarter of an hour: what was given out, and what was used of it."""


@dataclass(frozen=True, slots=True)
class Chart:
    """One measure: areas of what was reserved and used, the line of the limit, and words."""

    word: str
    reserved: str
    used: str
    limit_y: float
    limit_text: str
    most_text: str

    @property
    def words(self) -> str:
        """The chart for who does not see it."""
        return f"{self.word} over 24 hours: at most {self.most_text} reserved of {self.limit_text}"


def load_charts(provider: Provider) -> list[Chart]:
    """CPU and memory of the last day, in one query; none while there is no sample."""
    ago = Func(
        ExpressionWrapper(Now() - F("at"), output_field=DurationField()),
        template=f"floor(date_part('epoch', %(expressions)s) / {_STEP_SECONDS})",
        output_field=IntegerField(),
    )
    rows = list(
        HealthSample.objects.filter(provider=provider, at__gt=Now() - timedelta(hours=HOURS))
        .annotate(ago=ago)
        .values_list("ago")
        .annotate(
            Avg("used_cpu_millis"),
            Avg("measured_cpu_millis"),
            Avg("used_memory_mb"),
            Avg("measured_memory_mb"),
        )
    )
    if not rows:
        return []
    cpu = {STEPS - 1 - int(ago): (given, used) for ago, given, used, _, _ in rows}
    memory = {STEPS - 1 - int(ago): (given, used) for ago, _, _, given, used in rows}
    return [
        _chart("CPU", cpu, provider.total_cpu_millis, cores_text),
        _chart("Memory", memory, provider.total_memory_mb, memory_text),
    ]


def _chart(word: str, means: Mapping[int, Means], limit: int, text: object) -> Chart:
    assert callable(text)
    most = max((given or 0.0 for given, _ in means.values()), default=0.0)
    top = _HEADROOM * max(limit, most, 1)

    def drawn(which: int) -> str:
        heights = [means.get(step, (None, None))[which] for step in range(STEPS)]
        return area([None if one is None else one / top for one in heights])

    return Chart(
        word=word,
        reserved=drawn(0),
        used=drawn(1),
        limit_y=round(HEIGHT * (1 - limit / top), 1),
        limit_text=text(limit),
        most_text=text(most),
    )


def area(heights: Sequence[float | None]) -> str:
    """The path of an area under steps of these heights (0 to 1); none is a gap."""
    step = WIDTH / len(heights) if heights else 0
    parts = []
    inside = False
    for place, height in enumerate(heights):
        if height is None:
            if inside:
                parts.append(f"V{HEIGHT}")
            inside = False
            continue
        x, y = place * step, HEIGHT * (1 - max(0.0, min(1.0, height)))
        if not inside:
            parts.append(f"M{x:g} {HEIGHT}")
        parts.append(f"V{y:.1f}H{x + step:g}")
        inside = True
    if inside:
        parts.append(f"V{HEIGHT}")
    return "".join(parts)
