/* Shortcuts: the one place that decides what is one, and knows what each of them does.

   An element with data-key is reached by that key: a link is followed, a button pressed, a field
   or what sends a form is focused. A link with data-go is followed by g and then its key, from every page. A
   script asks heard(event) before it acts on a key of its own, and tells what its keys do.
   The palette and the sheet of keys are fetched when they are first wanted. */
(() => {
  const { palette, sheet, sprite } = document.currentScript.dataset;
  const root = document.documentElement, AFTER_G_MS = 1500;
  const told = new Map();
  let gAt = -Infinity;

  const typing = (el) => el.closest("input:not([type=checkbox], [type=radio], [type=button], [type=submit]), textarea, select, [contenteditable]") !== null;
  const on = () => root.dataset.keys !== "off";

  /* True when somebody means a shortcut: no modifier, nobody types, no dialog is in front; and
     if it is a letter, these are switched on. */
  function heard(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return false;
    if (event.key.length === 1 && !on()) return false;
    const from = event.target instanceof Element ? event.target : document.body;
    return !typing(from) && !document.querySelector("dialog[open]");
  }

  /* What sends something is only gone to; Enter then presses it. */
  function reach(el) {
    if (typing(el) || el.type === "submit") el.focus(); else el.click();
  }

  const away = () => null; // the banner says so
  // What is typed before the palette has come goes into it, and Enter chooses there, not where
  // the focus still is; Escape calls it back.
  let coming = null;
  const openers = {
    async palette() {
      const mine = coming ??= { typed: "", chosen: false };
      const part = await import(palette).catch(away);
      if (mine !== coming) return;
      coming = null;
      part?.open(mine.typed);
      if (mine.chosen) part?.choose();
    },
    async sheet() { (await import(sheet).catch(away))?.open(); },
  };

  // First of all: Ctrl-K works everywhere, g takes the next key for itself.
  addEventListener("keydown", (event) => {
    const key = event.key.toLowerCase();
    if ((event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && key === "k") {
      event.preventDefault();
      openers.palette();
      return;
    }
    if (key === "control" || key === "meta") { import(palette).catch(away); return; } // what may come next is at hand
    if (coming && !event.altKey && (key.length === 1 || key === "escape" || key === "enter")) {
      event.preventDefault();
      event.stopImmediatePropagation();
      if (key === "escape") coming = null;
      else if (key === "enter") coming.chosen = coming.typed !== ""; // nor a second press on its button
      else if (!coming.chosen) coming.typed += event.key;
      return;
    }
    if (key.length > 1 || !heard(event)) return;
    const afterG = performance.now() - gAt < AFTER_G_MS;
    gAt = key === "g" && !event.shiftKey ? performance.now() : -Infinity;
    if (!afterG && key !== "?" && gAt < 0) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (key === "?") openers.sheet();
    else if (afterG) document.querySelector(`a[data-go="${CSS.escape(key)}"]`)?.click();
  }, true);

  addEventListener("keydown", (event) => {
    if (!heard(event) || event.repeat) return;
    const target = document.querySelector(`[data-key="${CSS.escape(event.key.toLowerCase())}"]`);
    if (!target || target.closest("[inert]")) return;
    event.preventDefault();
    reach(target);
  });

  document.addEventListener("click", ({ target }) => {
    const opener = target instanceof Element ? target.closest("[data-opens]") : null;
    if (opener) openers[opener.dataset.opens]();
  });
  for (const name of ["pointerover", "focusin"]) {
    document.addEventListener(name, ({ target }) => {
      if (target instanceof Element && target.closest("[data-opens=palette]")) import(palette).catch(away);
    }, { passive: true });
  }

  function wordsOf(el) {
    if (el.dataset.does) return el.dataset.does;
    const named = el.getAttribute("aria-label") ?? el.labels?.[0]?.querySelector(".vh")?.textContent;
    if (named) return named.trim();
    const copy = el.cloneNode(true);
    copy.querySelectorAll("kbd, small, .n").forEach((part) => part.remove());
    return copy.textContent.replace(/\s+/g, " ").trim();
  }

  const seen = (el) => !el.disabled && el.getClientRects().length > 0;

  if (/Mac|iP(hone|ad)/.test(navigator.platform)) {
    document.querySelectorAll("kbd.always").forEach((kbd) => { kbd.textContent = kbd.textContent.replace("Ctrl ", "⌘"); });
  }

  window.Gantry = Object.assign(window.Gantry ?? {}, {
    keys: {
      on, heard, reach, wordsOf, sprite, openers,
      /* What the keys of a part of this page do, for the sheet: [[keys, words], …]. */
      tell(part, rows) { told.set(part, rows); },
      get told() { return told; },
      /* What can be reached by one key now: {el, key, words}. */
      get reached() {
        return [...document.querySelectorAll("[data-key]")].filter(seen)
          .map((el) => ({ el, key: el.dataset.key, words: wordsOf(el), typed: typing(el) }));
      },
      /* The pages of the navigation: {url, key, words}. */
      get pages() {
        return [...document.querySelectorAll(".side .nav a")]
          .map((el) => ({ url: el.href, key: el.dataset.go ?? "", words: wordsOf(el), icon: el.querySelector("use")?.getAttribute("href") }));
      },
    },
  });
})();
