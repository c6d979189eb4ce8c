/* The list of jobs: selection, keys, and new jobs that wait while somebody is at work in it.

   Its rows come from the server, also when they change; what is selected and focused is put
   back after each change. j and k go through the rows, x selects, Enter opens (a row's focus
   is on its link), the full stop opens a row's menu (job-menu.js), Escape lets go of the
   selection. */
(() => {
  const region = document.getElementById("job-rows"), bar = document.getElementById("bulk");
  if (!region) return;
  const selected = new Set();
  const SCROLLED_PX = 8;
  let last = null, place = null, letIn = false;

  const list = () => document.getElementById("job-rows");
  const rows = () => [...list().querySelectorAll("tbody tr")];
  const boxOf = (row) => row.querySelector(".c-x input");
  const linkOf = (row) => row?.querySelector(".name a");
  const rowOf = (el) => el?.closest?.("#job-rows tbody tr") ?? null;

  // Selection.
  function show() {
    const there = new Set();
    for (const row of rows()) {
      const box = boxOf(row);
      there.add(box.value);
      box.checked = selected.has(box.value);
      row.setAttribute("aria-selected", String(box.checked));
    }
    for (const id of selected) if (!there.has(id)) selected.delete(id);
    const page = list().querySelector("[data-page]");
    if (page) {
      page.checked = selected.size > 0 && selected.size === there.size;
      page.indeterminate = selected.size > 0 && !page.checked;
    }
    if (!bar) return;
    bar.querySelector("[data-selected]").textContent = `${selected.size} selected`;
    bar.querySelector("[data-matching]").textContent = document.getElementById("job-chips").dataset.matching;
    if (!selected.size) bar.elements.all.checked = false;
  }

  function select(row, on) {
    const id = boxOf(row).value;
    if (on) selected.add(id); else selected.delete(id);
    last = id;
  }

  function clear() {
    selected.clear();
    show();
  }

  document.addEventListener("click", (event) => {
    const box = event.target;
    if (!(box instanceof HTMLInputElement) || !list().contains(box)) return;
    const all = rows();
    if (box.matches("[data-page]")) all.forEach((row) => select(row, box.checked));
    else {
      const here = all.indexOf(rowOf(box)), there = all.findIndex((row) => boxOf(row).value === last);
      const from = event.shiftKey && there >= 0 ? there : here;
      const on = box.checked;
      all.slice(Math.min(from, here), Math.max(from, here) + 1).forEach((row) => select(row, on));
    }
    show();
  });
  bar?.addEventListener("reset", () => setTimeout(clear));
  document.addEventListener("gantry:bulk-done", () => { clear(); refresh(); });

  // Keys.
  function go(step) {
    const all = rows(), here = all.indexOf(rowOf(document.activeElement));
    const next = here < 0 ? Math.min(place?.index ?? 0, all.length - 1) : here + step;
    linkOf(all[next])?.focus();
  }

  addEventListener("keydown", (event) => {
    if (!Gantry.keys.heard(event)) return;
    const row = rowOf(document.activeElement);
    if (event.key === "j") go(1);
    else if (event.key === "k") go(-1);
    else if (event.key === "x" && row) { select(row, !selected.has(boxOf(row).value)); show(); }
    else if (event.key === "." && row) window.Gantry.openRowMenu(row, linkOf(row));
    else if (event.key === "Escape" && row && !linkOf(row).matches(":focus")) linkOf(row).focus();
    else if (event.key === "Escape" && selected.size) clear();
    else return;
    event.preventDefault();
  });

  Gantry.keys.tell("In the list", [
    ["j k", "next, previous job"], ["Enter", "open it"], ["x", "select it"], [".", "its buttons"], ["Esc", "back to the row, then select none"],
  ]);

  // Live changes. While somebody is at work here the list stays at its newest job, and says
  // how many came after it.
  const atWork = () => selected.size > 0 || scrollY > SCROLLED_PX || rowOf(document.activeElement) !== null
    || Boolean(document.activeElement?.closest(".rowmenu"));
  const refresh = () => list().dispatchEvent(new CustomEvent("live"));
  const isList = (detail) => detail.elt?.id === "job-rows";

  document.addEventListener("htmx:configRequest", ({ detail }) => {
    if (!isList(detail)) return;
    const newest = list().dataset.newest;
    if (newest && atWork() && !letIn) detail.parameters.newest = newest;
    letIn = false;
  });
  document.addEventListener("click", (event) => {
    const pill = event.target instanceof Element ? event.target.closest("[data-arrived]") : null;
    if (!pill || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    letIn = true;
    scrollTo(0, 0);
    refresh();
  });

  document.addEventListener("htmx:beforeSwap", ({ detail }) => {
    if (!isList(detail)) return;
    const el = document.activeElement, row = rowOf(el);
    const part = el?.matches?.("input") ? ".c-x input" : el?.closest?.(".acts") ? ".acts a" : ".name a";
    place = row && { id: row.id, index: rows().indexOf(row), part };
  });
  // At once after the swap, so that nothing is seen to flicker.
  document.addEventListener("htmx:afterSwap", ({ detail }) => {
    show();
    if (!isList(detail) || !place || list().contains(document.activeElement)) return;
    const row = document.getElementById(place.id) ?? rows()[Math.min(place.index, rows().length - 1)];
    (row?.querySelector(place.part) ?? linkOf(row))?.focus({ preventScroll: true });
  });
  document.addEventListener("htmx:afterSettle", show);

  // Another filter is on its way: these rows are old now, but better than none.
  const dim = (on) => { list().toggleAttribute("data-loading", on); list().setAttribute("aria-busy", String(on)); };
  document.addEventListener("submit", (event) => { if (event.target.matches("form[data-loads]")) dim(true); });
  document.addEventListener("click", (event) => {
    const link = event.target instanceof Element ? event.target.closest("#job-chips a, .queryhelp a, .listfoot a, .jobviews a, .sortmenu a") : null;
    if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) dim(true);
  });
  addEventListener("pageshow", () => { dim(false); show(); });

  // The bars of running jobs grow with their clocks.
  const begun = new WeakMap();
  function grow() {
    if (document.hidden) return;
    for (const bar of list().querySelectorAll("svg.usual")) {
      const clock = bar.parentElement.querySelector("time[data-age]");
      if (!clock) continue;
      let start = begun.get(clock);
      if (start?.age !== clock.dataset.age) begun.set(clock, start = { age: clock.dataset.age, at: performance.now() });
      const seconds = Number(start.age) + (performance.now() - start.at) / 1000;
      const mark = parseFloat(bar.querySelector(".mark").getAttribute("x"));
      bar.querySelector(".part").setAttribute("width", `${Math.min(100, (mark * seconds) / bar.dataset.usual).toFixed(1)}%`);
      bar.classList.toggle("w", seconds > bar.dataset.most);
    }
  }
  setInterval(grow, 1000);
})();
