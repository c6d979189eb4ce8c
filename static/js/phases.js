/* The bar of phases. The open one grows without traffic: the shares are those that the server
   draws (jobs/phases.py), and a morphed-in bar starts anew from its numbers. One stretch is a
   stop of Tab, the arrows go on from it; what it says is also shown under the bar. Each leads to
   what happened in it. */
(() => {
  const LEAST = 0.006; // no stretch is narrower than this part of the bar
  const GAP = 0.15; // percent left free between two stretches
  const begun = new WeakMap();
  let told = null;

  const stretchOf = (target) => (target instanceof Element ? target.closest("svg.track a[data-seconds]") : null);

  function tell(stretch, words = stretch?.getAttribute("aria-label") ?? "") {
    told = stretch;
    document.querySelectorAll("[data-phase-told]").forEach((el) => { el.textContent = words; });
  }

  function grow(bar) {
    const open = bar.querySelector("a[data-open]");
    if (!open) return;
    let start = begun.get(open);
    if (!start || start.seconds !== open.dataset.seconds) {
      start = { seconds: open.dataset.seconds, at: performance.now() };
      begun.set(open, start);
    }
    const stretches = [...bar.querySelectorAll("a[data-seconds]")];
    const seconds = stretches.map((one) => Number(one.dataset.seconds));
    const length = seconds[stretches.indexOf(open)] += (performance.now() - start.at) / 1000;
    const words = `${open.dataset.words} ${Gantry.duration(length)}, ${open.dataset.from} to now`;
    // Where the focus is, a reader would say it anew each second.
    if (open !== document.activeElement) open.setAttribute("aria-label", words);
    open.querySelector("title").textContent = words;
    if (told === open) tell(open, words);
    const total = seconds.reduce((sum, one) => sum + one, 0) || 1;
    const weights = seconds.map((one) => Math.max(one / total, LEAST));
    const scale = 100 / weights.reduce((sum, one) => sum + one, 0);
    let left = 0;
    stretches.forEach((one, i) => {
      const width = weights[i] * scale, [rect, end] = one.querySelectorAll("rect");
      rect.setAttribute("x", `${left.toFixed(3)}%`);
      rect.setAttribute("width", `${Math.max(0.1, width - GAP).toFixed(3)}%`);
      end?.setAttribute("x", `${(left + width - GAP).toFixed(3)}%`);
      left += width;
    });
  }

  document.addEventListener("pointerover", ({ target }) => {
    const stretch = stretchOf(target);
    if (stretch !== told) tell(stretch ?? stretchOf(document.activeElement));
  });
  document.addEventListener("focusin", ({ target }) => tell(stretchOf(target)));
  document.addEventListener("keydown", (event) => {
    const here = stretchOf(event.target);
    const step = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
    if (!here || step === undefined) return;
    event.preventDefault();
    const all = [...here.ownerSVGElement.querySelectorAll("a[data-seconds]")];
    const next = all[Math.max(0, Math.min(all.length - 1, all.indexOf(here) + step))];
    here.setAttribute("tabindex", "-1");
    next.setAttribute("tabindex", "0");
    next.focus();
  });

  setInterval(() => {
    if (!document.hidden) document.querySelectorAll("svg.track").forEach(grow);
  }, 1000);
})();
