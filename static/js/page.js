/* Small comforts of every page; all of it works without this file, only slower to reach. */
(() => {
  // Ctrl+Enter sends the form that is being written; while nothing has the focus, the page's own.
  const IN_FRONT = "dialog[open], [popover]:popover-open, details[data-menu][open]";
  const ownForm = () => {
    const forms = document.querySelectorAll("form[data-main]");
    return forms.length === 1 && !document.querySelector(IN_FRONT) ? forms[0] : null;
  };
  addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || event.defaultPrevented) return;
    const form = event.target === document.body ? ownForm() : event.target.closest?.("form[data-main]");
    if (form) { event.preventDefault(); form.requestSubmit(form.querySelector("button.primary[type=submit]")); }
  });

  // The tab's title and icon tell the state; a live region carries the new ones.
  function retitle() {
    const source = document.querySelector("[data-title]");
    if (!source) return;
    if (document.title !== source.dataset.title) document.title = source.dataset.title;
    const icon = document.querySelector("link[rel=icon]");
    if (source.dataset.favicon && icon.getAttribute("href") !== source.dataset.favicon) icon.setAttribute("href", source.dataset.favicon);
  }
  document.addEventListener("htmx:afterSettle", retitle);

  // A live change may take away what has the focus, or make another button of it, which the
  // next Enter would press unmeant. The focus then stays in that region, on none of them.
  const held = new Map();
  const meaning = (el) => (el.localName === "button" ? `${el.form?.getAttribute("action")} ${el.name} ${el.value}` : el.getAttribute("href"));
  document.addEventListener("htmx:beforeSwap", ({ detail: { target } }) => {
    const el = document.activeElement;
    if (target?.id && target !== el && target.contains(el)) held.set(target.id, { el, meant: meaning(el) });
  });
  document.addEventListener("htmx:afterSettle", ({ target }) => {
    const before = held.get(target.id), el = document.activeElement;
    if (!held.delete(target.id) || (el !== document.body && !el.disabled && (el !== before.el || meaning(el) === before.meant))) return;
    target.tabIndex = -1;
    target.focus({ preventScroll: true });
  });

  // Where somebody was, for the palette and nobody else; it is forgotten when they sign out, and
  // then every other tab of this browser is told at once.
  const { user } = Gantry.prefs, RECENT = `recent.${user}`, MOST_RECENT = 8;
  if (user && /^\/(jobs|providers)\/\d+$/.test(location.pathname) && document.body.dataset.page !== "wrong") {
    const words = document.querySelector("h1")?.textContent.trim();
    const small = document.querySelector(".crumbs [aria-current]")?.textContent.trim();
    try {
      const before = JSON.parse(localStorage.getItem(RECENT) ?? "[]").filter(({ url }) => url !== location.pathname);
      localStorage.setItem(RECENT, JSON.stringify([{ url: location.pathname, words, small }, ...before].slice(0, MOST_RECENT)));
    } catch { /* nothing is remembered here */ }
  }
  document.addEventListener("submit", ({ target }) => {
    if (!target.matches("[data-sign-out]")) return;
    try {
      localStorage.removeItem(RECENT);
      sessionStorage.removeItem("job-draft");
      localStorage.setItem("signed-out", String(Date.now()));
    } catch { /* the server tells them within a minute */ }
  });

  // Copy what a button names, or the text of the element it names.
  document.addEventListener("click", async (event) => {
    const button = event.target instanceof Element ? event.target.closest("[data-copy], [data-copy-from]") : null;
    if (!button) return;
    const from = document.getElementById(button.dataset.copyFrom);
    try {
      await navigator.clipboard.writeText(from ? from.textContent : button.dataset.copy);
      button.dataset.copied = "true";
      setTimeout(() => { delete button.dataset.copied; }, 1500);
    } catch { /* not allowed here: the text can still be selected */ }
  });
})();
