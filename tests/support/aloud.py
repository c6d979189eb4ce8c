"""What a page says by itself to who listens to it: each change of the text of a live element."""

from __future__ import annotations

from itertools import pairwise

from playwright.sync_api import Page

EVERY_SECONDS = 5.0
_LISTEN = """() => {
  const live = "[role=status], [role=alert], [role=log], [aria-live], output";
  const quiet = (el) => el.getAttribute("aria-live") === "off" || el.closest("[aria-hidden=true], [hidden]");
  const hooks = (el) => [...el.attributes].map((one) => one.name).filter((one) => one.startsWith("data-"));
  const texts = new WeakMap(), names = new WeakMap();
  let count = 0;
  const name = (el) => {
    if (el.id) return el.id;
    if (!names.has(el)) names.set(el, `${hooks(el).join(" ") || el.className} ${count += 1}`);
    return names.get(el);
  };
  const listen = (first) => {
    for (const el of document.querySelectorAll(live)) {
      const words = quiet(el) ? "" : el.textContent.trim();
      if (texts.get(el) === words) continue;
      texts.set(el, words);
      if (words && !first) window.aloud.push({ who: name(el), at: performance.now() / 1000, words });
    }
  };
  window.aloud = [];
  listen(true);
  new MutationObserver(() => listen(false))
    .observe(document, { subtree: true, childList: true, characterData: true, attributes: true });
}"""  # noqa: E501


def listen(page: Page) -> None:
    """From now on, note what is said."""
    page.evaluate(_LISTEN)


def said(page: Page) -> dict[str, list[tuple[float, str]]]:
    """What each live element has said, by its id or else its hooks and a number, and when, in
    seconds since the page was asked for."""
    found: dict[str, list[tuple[float, str]]] = {}
    for one in page.evaluate("window.aloud"):
        found.setdefault(one["who"], []).append((one["at"], one["words"]))
    return found


def hurried(heard: dict[str, list[tuple[float, str]]]) -> list[str]:
    """What was said sooner than 5 s after what the same element had said before."""
    return [
        f"{who}: “{now}” {later - earlier:.1f} s after “{before}”"
        for who, all_of_it in heard.items()
        for (earlier, before), (later, now) in pairwise(all_of_it)
        if later - earlier < EVERY_SECONDS - 0.1
    ]
