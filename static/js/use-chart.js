/* Draws what an attempt uses over time against its limit (templates/jobs/_use.html has the
   words). The chart library is fetched when there is something to draw. A plot is left alone
   when its region is morphed, and given the region's new points afterwards. */
(() => {
  const HEIGHT = 64;
  const plots = new Map();
  let library = null;
  let subject = "", drawn = "";

  const kept = Idiomorph.defaults.callbacks;
  const morphed = kept.beforeNodeMorphed;
  kept.beforeNodeMorphed = (node, ...rest) => !(node.dataset?.plot && node.firstChild) && morphed(node, ...rest);

  const time = (seconds) => new Date(1000 * seconds + Gantry.zoneOffset(1000 * seconds)).toISOString().slice(11, 19);
  const amount = {
    cpu: (value) => `${value.toFixed(2)} CPU`,
    memory: (value) => (value < 1024 ? `${value.toFixed(0)} MiB` : `${(value / 1024).toFixed(2)} GiB`),
  };

  function load({ script, style }) {
    library ??= new Promise((resolve, reject) => {
      const sheet = Object.assign(document.createElement("link"), { rel: "stylesheet", href: style });
      const code = Object.assign(document.createElement("script"), { src: script });
      code.onload = resolve;
      code.onerror = () => { library = null; reject(new Error("the chart library did not come")); };
      document.head.append(sheet, code);
    });
    return library;
  }

  // Colours are the style sheet's; a canvas is told them anew at each drawing.
  const colour = (holder, name) => getComputedStyle(holder).getPropertyValue(name);

  function plot(holder, key) {
    const told = document.createElement("output");
    told.className = "at";
    const probe = (name) => {
      const mark = holder.querySelector(`.${name}`) ?? holder.appendChild(Object.assign(document.createElement("i"), { className: name }));
      return colour(mark, "color");
    };
    const made = new uPlot({
      width: holder.clientWidth || 280,
      height: HEIGHT,
      padding: [4, 0, 1, 0],
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, sync: { key: "use" }, points: { size: 6 } },
      scales: { y: { range: (u, low, high) => [0, 1.06 * Math.max(high ?? 0, u.data[2]?.[0] ?? 0) || 1] } },
      axes: [{ show: false }, { show: false }],
      series: [
        {},
        { stroke: () => probe("line"), fill: () => probe("area"), width: 1.5, points: { show: (u) => u.data[0].length < 2, size: 4 } },
        { stroke: () => probe("limit"), width: 1, dash: [3, 3], points: { show: false } },
      ],
      hooks: {
        setCursor: [(u) => {
          const i = u.cursor.idx;
          const here = i !== null && i !== undefined && u.data[1]?.[i] !== undefined;
          told.textContent = here ? `${amount[key](u.data[1][i])} at ${time(u.data[0][i])}` : "";
        }],
      },
    }, [[], [], []], holder);
    holder.append(told);
    const sizes = new ResizeObserver(() => {
      if (holder.clientWidth && holder.clientWidth !== made.width) made.setSize({ width: holder.clientWidth, height: HEIGHT });
    });
    sizes.observe(holder);
    return { holder, chart: made, end() { sizes.disconnect(); made.destroy(); holder.replaceChildren(); } };
  }

  async function draw() {
    const region = document.getElementById("job-use");
    if (!region?.dataset.series || region.dataset.series === drawn) return;
    await load(region.dataset);
    drawn = region.dataset.series;
    const series = JSON.parse(drawn);
    if (subject !== region.dataset.subject) {
      plots.forEach((one) => one.end());
      plots.clear();
      subject = region.dataset.subject;
    }
    for (const holder of region.querySelectorAll("[data-plot]")) {
      const key = holder.dataset.plot;
      if (plots.get(key)?.holder !== holder) plots.set(key, plot(holder, key));
      const limit = series.limits[key];
      plots.get(key).chart.setData([series.at, series[key], series.at.map(() => limit)]);
    }
  }

  const again = () => plots.forEach(({ chart }) => chart.redraw(false));
  new MutationObserver(again).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  document.addEventListener("htmx:afterSettle", draw);
  draw();
})();
