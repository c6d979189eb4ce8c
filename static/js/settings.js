/* Settings that are kept as they are chosen; without this file the form has a button. */
(() => {
  const form = document.querySelector("[data-prefs]"), saved = document.querySelector("[data-saved]");
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const option = form.querySelector("[data-own-zone]");
  option.textContent = `That of the browser (${own})`;

  const field = (name) => form.elements.namedItem(name);
  function clock() {
    const zone = field("zone").value;
    const words = new Intl.DateTimeFormat("en-GB", { timeZone: zone === "local" ? own : zone, timeStyle: "medium" }).format();
    form.querySelector("[data-now]").textContent = words;
  }

  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("change", ({ target }) => {
    saved.textContent = "Saving…";
    Gantry.prefs.set(target.name, target.value);
    clock();
  });
  addEventListener("gantry:saved", ({ detail }) => {
    saved.textContent = detail ? "Saved." : "The server cannot be told now. This browser remembers it, and tells it later.";
  });
  // The switch in the top bar, and another tab.
  new MutationObserver(() => { field("theme").value = document.documentElement.dataset.theme; })
    .observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  for (const name of ["theme", "density", "keys", "log_time", "log_wrap", "zone"]) {
    const known = Gantry.prefs.get(name);
    if (known) field(name).value = known;
  }
  clock();
  setInterval(clock, 1000);

  // A page that shows a token is not sent again by a reload, nor kept for the way back.
  const made = document.querySelector("[data-made]");
  if (made) {
    history.replaceState(history.state, "", "/settings");
    made.parentElement.focus({ preventScroll: true });
    made.scrollIntoView({ block: "center" });
    addEventListener("pagehide", () => made.remove());
  }
})();
