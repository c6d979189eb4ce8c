/* Small comforts of every page; all of it works without this file, only slower to reach. */
(() => {
  const typing = (el) => el.closest("input:not([type=checkbox]), textarea, select, [contenteditable]") !== null;

  // One key for what has data-key: a link is followed, a field is focused, a button pressed.
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (!(event.target instanceof Element) || typing(event.target)) return;
    const key = CSS.escape(event.key.toLowerCase());
    const target = document.querySelector(`[data-key="${key}"]`);
    if (!target || event.repeat) return;
    event.preventDefault();
    // What cannot be taken back is only reached by its key; Enter then presses it.
    if (typing(target) || target.hasAttribute("data-key-focus")) target.focus(); else target.click();
  });

  // Ctrl+Enter sends the form that is being written.
  addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    const form = event.target instanceof Element ? event.target.closest("form[data-main]") : null;
    if (form) { event.preventDefault(); form.requestSubmit(); }
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
