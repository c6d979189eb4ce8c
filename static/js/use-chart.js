/* What was measured when, told where the pointer is over a plot of what an attempt uses. The
   plots themselves are the server's (templates/jobs/_use.html). */
(() => {
  const time = (seconds) => new Date(1000 * seconds + Gantry.zoneOffset(1000 * seconds)).toISOString().slice(11, 19);
  const amount = {
    cpu: (value) => `${value.toFixed(2)} CPU`,
    memory: (value) => (value < 1024 ? `${value.toFixed(0)} MiB` : `${(value / 1024).toFixed(2)} GiB`),
  };
  let part = null; // where the pointer is: 0 at the left edge, 1 at the right one

  // All plots of the page have the same axis, so each tells of the same moment.
  function tell() {
    const region = document.getElementById("job-use");
    const series = part !== null && region?.dataset.series ? JSON.parse(region.dataset.series) : null;
    for (const plot of document.querySelectorAll("[data-plot]")) {
      const here = plot.querySelector(".here"), told = plot.querySelector(".at");
      here.hidden = !series;
      told.textContent = "";
      if (!series) continue;
      const { at } = series, first = at[0], length = at.at(-1) - first;
      const apart = at.map((moment) => Math.abs(moment - first - part * length));
      const i = apart.indexOf(Math.min(...apart));
      here.style.insetInlineStart = `${length ? (100 * (at[i] - first)) / length : 100}%`;
      told.textContent = `${amount[plot.dataset.plot](series[plot.dataset.plot][i])} at ${time(at[i])}`;
    }
  }

  document.addEventListener("pointermove", ({ target, clientX }) => {
    const plot = target instanceof Element ? target.closest("[data-plot]") : null;
    if (!plot && part === null) return;
    const box = plot?.getBoundingClientRect();
    part = box ? (clientX - box.left) / box.width : null;
    tell();
  }, { passive: true });
  document.addEventListener("htmx:afterSettle", ({ target }) => { if (part !== null && target.id === "job-use") tell(); });
})();
