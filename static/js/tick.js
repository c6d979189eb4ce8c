/* Regions that change with time and have no signal of their own: one with data-tick="5" is
   refreshed each 5 s while the page is looked at. */
(() => {
  const last = new WeakMap();

  setInterval(() => {
    if (document.hidden) return;
    const now = performance.now();
    for (const region of document.querySelectorAll("[data-tick]")) {
      const before = last.get(region) ?? now;
      const due = now - before >= 1000 * Number(region.dataset.tick) - 100;
      if (due || before === now) last.set(region, now);
      if (due) region.dispatchEvent(new CustomEvent("live"));
    }
  }, 1000);
})();
