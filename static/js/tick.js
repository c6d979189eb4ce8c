/* Regions that change with more than their own topic: one with data-tick="5" is refreshed each
   5 s while the page is looked at, one with data-after="job-header" when that region was. */
(() => {
  const last = new WeakMap();

  document.addEventListener("htmx:afterSettle", ({ target }) => {
    if (!target?.id) return;
    document.querySelectorAll(`[data-after="${CSS.escape(target.id)}"]`).forEach((region) => region.dispatchEvent(new CustomEvent("live")));
  });

  setInterval(() => {
    if (document.hidden || Gantry.live.over) return;
    const now = performance.now();
    for (const region of document.querySelectorAll("[data-tick]")) {
      const before = last.get(region) ?? now;
      const due = now - before >= 1000 * Number(region.dataset.tick) - 100;
      if (due || before === now) last.set(region, now);
      if (due) Gantry.live.refresh(region);
    }
  }, 1000);
})();
