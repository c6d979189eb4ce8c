/* Which jobs of the queue are selected: kept through every refresh of the list, as long as they
   are in it. What is done with them is job-bulk.js's. */
(() => {
  const bar = document.getElementById("bulk");
  if (!bar) return;
  const selected = new Set();
  const list = () => document.getElementById("queue-rows");
  const boxes = () => [...list().querySelectorAll("tbody .pick input")];

  function show() {
    const all = boxes(), there = new Set(all.map((box) => box.value));
    for (const id of selected) if (!there.has(id)) selected.delete(id);
    for (const box of all) {
      box.checked = selected.has(box.value);
      box.closest("tr").setAttribute("aria-selected", String(box.checked));
    }
    const page = list().querySelector("[data-page]");
    if (page) {
      page.checked = selected.size > 0 && selected.size === there.size;
      page.indeterminate = selected.size > 0 && !page.checked;
    }
    bar.querySelector("[data-selected]").textContent = `${selected.size} selected`;
  }

  function clear() {
    selected.clear();
    show();
  }

  document.addEventListener("change", ({ target }) => {
    if (!(target instanceof HTMLInputElement) || !target.closest("#queue-rows .pick")) return;
    for (const box of target.matches("[data-page]") ? boxes() : [target]) {
      if (target.checked) selected.add(box.value); else selected.delete(box.value);
    }
    show();
  });
  addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !selected.size || !Gantry.keys.heard(event)) return;
    clear();
    event.preventDefault();
  });
  bar.addEventListener("reset", () => setTimeout(clear));
  document.addEventListener("gantry:bulk-done", clear);
  document.addEventListener("htmx:afterSwap", show);
  document.addEventListener("htmx:afterSettle", show);
  addEventListener("pageshow", show);
})();
