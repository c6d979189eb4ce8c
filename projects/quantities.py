"""Numbers as people read them: durations, memory, bytes, cores. Pure.

One wording everywhere, so that a page, a reason and a log line say the same amount alike.
"""

from __future__ import annotations

from collections.abc import Sequence


def duration_text(seconds: float) -> str:
    """A length of time in its two largest units: "0.4 s", "41 s", "6 min 41 s", "1 h 2 min".

    What was measured has tenths while it is short; what was set, in whole seconds, has none.
    """
    if not isinstance(seconds, int) and seconds < 9.95:
        return f"{max(0.0, seconds):.1f} s"
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return _pair(whole, 60, "min", 1, "s")
    if whole < 86_400:
        return _pair(whole, 3600, "h", 60, "min")
    return _pair(whole, 86_400, "d", 3600, "h")


def age_text(seconds: float) -> str:
    """A length of time in its largest unit: "41 s", "6 min", "2 h", "3 d"."""
    whole = round(max(0.0, seconds))
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if whole >= size:
            return f"{whole // size} {unit}"
    return f"{whole} s"


def _pair(whole: int, large: int, large_unit: str, small: int, small_unit: str) -> str:
    rest = whole % large // small
    text = f"{whole // large} {large_unit}"
    return f"{text} {rest} {small_unit}" if rest else text


def memory_text(mebibytes: float) -> str:
    """MiB as MiB below one GiB and as GiB from there: "512 MiB", "11.2 GiB"."""
    if abs(mebibytes) < 1024:
        return f"{mebibytes:.0f} MiB"
    return f"{mebibytes / 1024:.1f}".removesuffix(".0") + " GiB"


def bytes_text(count: float) -> str:
    """Bytes in powers of a thousand, as disks and downloads are told: "284 kB", "3.1 GB"."""
    if count < 1000:
        return f"{count:.0f} B"
    for unit in ("kB", "MB", "GB", "TB"):
        count /= 1000
        if count < 999.5 or unit == "TB":
            break
    return (f"{count:.1f}".removesuffix(".0") if count < 10 else f"{count:.0f}") + f" {unit}"


def cores_text(millis: float) -> str:
    """Thousandths of a core as cores: "0.25", "1.5", "16"."""
    return f"{millis / 1000:.2f}".rstrip("0").rstrip(".")


def amounts_text(cpu_millis: float, memory_mb: float, gpus: int = 0) -> str:
    """CPU, memory and GPUs together, without what is none: "1 CPU, 2 GiB and 1 GPU"."""
    amounts = []
    if cpu_millis:
        amounts.append(f"{cores_text(cpu_millis)} CPU")
    if memory_mb:
        amounts.append(memory_text(memory_mb))
    if gpus:
        amounts.append(f"{gpus} GPU")
    return listed(amounts)


def listed(words: Sequence[str]) -> str:
    """With commas and an "and": "a, b and c"; "" of none."""
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))
