"""What every template keeps to, so that the strict content policy needs no exception."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
_COMMENT = re.compile(r"{#.*?#}|{% comment %}.*?{% endcomment %}", re.S)
FORBIDDEN = {
    "an inline style": re.compile(r"<[^>]*\sstyle=", re.S),
    "a style element": re.compile(r"<style\b"),
    "an inline script": re.compile(r"<script(?![^>]*\bsrc=)", re.S),
    "an event handler": re.compile(r"<[^>]*\s(?:on[a-z]+|hx-on[:-][a-z:]*)=", re.S),
    "a foreign address": re.compile(r"""(?:src|href|action)=["'](?:https?:)?//"""),
    "text that is not escaped": re.compile(r"\|safe\b|{% autoescape off %}"),
}


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_template_has_nothing_that_the_content_policy_would_refuse(path: Path) -> None:
    text = _COMMENT.sub("", path.read_text())
    found = [what for what, pattern in FORBIDDEN.items() if pattern.search(text)]
    assert not found, f"{path.name} has {', '.join(found)}"


@pytest.mark.parametrize(
    "path",
    [p for p in TEMPLATES if p.name.startswith("_") and "data-live" in p.read_text()],
    ids=lambda path: path.name,
)
def test_a_live_region_has_one_root_with_an_id_and_asks_for_itself(path: Path) -> None:
    roots = [tag for tag in re.findall(r"^<\w+[^>]*>", path.read_text(), re.M) if "<!" not in tag]
    assert len(roots) == 1, f"{path.name} has {len(roots)} roots"
    for part in (" id=", "data-live=", "hx-get=", 'hx-trigger="live"', 'hx-swap="morph"'):
        assert part in roots[0].replace("\n", " "), f"{path.name}: no {part}"


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_form_that_posts_carries_a_csrf_token(path: Path) -> None:
    for form in re.findall(r'<form[^>]*method="post".*?</form>', path.read_text(), re.S):
        assert "{% csrf_token %}" in form, form[:120]
