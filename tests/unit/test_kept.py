"""An answer is kept for its seconds and no longer, and nothing else is."""

from __future__ import annotations

from projects.kept import Kept


def test_it_is_made_anew_only_once_its_time_is_over() -> None:
    now, made = [100.0], list[str]()
    kept: Kept[int] = Kept(5.0, clock=lambda: now[0])

    def make(key: str) -> int:
        made.append(key)
        return len(made)

    def get(key: str) -> int:
        return kept.get(key, lambda: make(key))

    assert (get("a"), get("a"), get("b"), get("a")) == (1, 1, 2, 1)
    now[0] += 4.9
    assert get("a") == 1
    now[0] += 0.1
    assert (get("a"), get("a"), made) == (3, 3, ["a", "b", "a"])
    now[0] += 5.0
    get("c")
    assert len(kept) == 1
    kept.forget()
    assert get("c") == 5
