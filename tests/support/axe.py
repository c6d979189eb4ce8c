"""What axe-core finds wrong with a page, up to WCAG 2.2 AA."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.sync_api import Page

AXE = Path(__file__).parents[1] / "vendor" / "axe-core-4.14.1" / "axe.min.js"
SERIOUS = {"serious", "critical"}
WCAG = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
COLOURS = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
"""Rules up to WCAG 2.2 AA; in the other theme only colours can be different."""
IN_A_LINE = "[data-log-lines], .lasterr"
"""The number of a log line is as high as its line (WCAG 2.5.8 lets what stands in text be)."""
_RUN_AXE = """
async ([rules, inALine]) => {
  const options = { runOnly: rules, preload: false, resultTypes: ["violations"] };
  const words = (node) =>
    `${node.html.slice(0, 160)} ${node.any.map((a) => a.message).join("; ").slice(0, 200)}`;
  const meant = (id, node) => id === "target-size" && node.element.closest(inALine);
  const found = (await axe.run(document, { ...options, elementRef: true })).violations;
  return found.map(({ id, impact, help, nodes }) =>
    ({ rule: id, impact, help, nodes: nodes.filter((node) => !meant(id, node)).map(words) }));
}
"""


def judged(page: Page, rules: dict[str, Any]) -> list[str]:
    """What axe finds serious on the page as it is now."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text())
    found = page.evaluate(_RUN_AXE, [rules, IN_A_LINE])
    return [
        f"{one['impact']} {one['rule']}: {one['help']}\n      {node}"
        for one in found
        if one["impact"] in SERIOUS
        for node in one["nodes"][:3]
    ]
