/* Lets the open phase of the bar grow without traffic. The shares are those that the server
   draws (jobs/phases.py); a morphed-in bar starts anew from its numbers. */
(() => {
  const LEAST = 0.006; // no stretch is narrower than this part of the bar
  const GAP = 0.15; // percent left free between two stretches
  const begun = new WeakMap();

  function grow(bar) {
    const open = bar.querySelector("rect[data-open]");
    if (!open) return;
    let start = begun.get(open);
    if (!start || start.seconds !== open.dataset.seconds) {
      start = { seconds: open.dataset.seconds, at: performance.now() };
      begun.set(open, start);
    }
    const rects = [...bar.querySelectorAll("rect[data-seconds]")];
    const seconds = rects.map((rect) => Number(rect.dataset.seconds));
    seconds[rects.indexOf(open)] += (performance.now() - start.at) / 1000;
    const total = seconds.reduce((sum, one) => sum + one, 0) || 1;
    const weights = seconds.map((one) => Math.max(one / total, LEAST));
    const scale = 100 / weights.reduce((sum, one) => sum + one, 0);
    let left = 0;
    rects.forEach((rect, i) => {
      const width = weights[i] * scale;
      rect.setAttribute("x", `${left.toFixed(3)}%`);
      rect.setAttribute("width", `${Math.max(0.1, width - GAP).toFixed(3)}%`);
      const end = rect.nextElementSibling;
      if (end?.classList.contains("p-end")) end.setAttribute("x", `${(left + width - GAP).toFixed(3)}%`);
      left += width;
    });
  }

  setInterval(() => {
    if (!document.hidden) document.querySelectorAll("svg.track").forEach(grow);
  }, 1000);
})();
