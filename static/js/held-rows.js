/* Lists whose rows do not move under the reader: the queue, the activity.

   A region with data-held="name" and data-held-value is asked for again with that parameter
   while somebody is at work in it, and the server then sends the same rows as they are now, with
   a pill that tells what else there is. The pill lets it in. */
(() => {
  const SCROLLED_PX = 8, POINTED_MS = 4_000;
  let pointedAt = -Infinity, letIn = false, place = null;

  const held = (el) => (el?.matches?.("[data-held]") ? el : null);
  const rowsOf = (region) => [...region.querySelectorAll("tbody tr")];

  addEventListener("pointermove", (event) => {
    if (event.target instanceof Element && event.target.closest("[data-held] tbody")) pointedAt = performance.now();
  }, { passive: true });

  function atWork(region) {
    return scrollY > SCROLLED_PX || performance.now() - pointedAt < POINTED_MS || region.querySelector("tbody")?.contains(document.activeElement) || region.querySelector("tbody .pick input:checked") !== null;
  }

  document.addEventListener("htmx:configRequest", ({ detail }) => {
    const region = held(detail.elt);
    if (!region) return;
    if (region.dataset.heldValue && atWork(region) && !letIn) detail.parameters[region.dataset.held] = region.dataset.heldValue;
    letIn = false;
  });

  document.addEventListener("click", (event) => {
    const pill = event.target instanceof Element ? event.target.closest("[data-held] [data-arrived]") : null;
    if (!pill || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    letIn = true;
    const region = pill.closest("[data-held]");
    scrollTo(0, 0);
    region.dispatchEvent(new CustomEvent("live"));
  });

  // Whoever stands on a row that leaves stands on the next one.
  document.addEventListener("htmx:beforeSwap", ({ detail }) => {
    const region = held(detail.elt), row = document.activeElement?.closest?.("[data-held] tbody tr");
    place = region && row && region.contains(row) ? { region: region.id, id: row.id, index: rowsOf(region).indexOf(row) } : null;
  });
  document.addEventListener("htmx:afterSwap", ({ detail }) => {
    const region = document.getElementById(place?.region ?? "");
    if (!held(detail.elt) || !region || region.contains(document.activeElement)) return;
    const rows = rowsOf(region), row = document.getElementById(place.id) ?? rows[Math.min(place.index, rows.length - 1)];
    row?.querySelector("a")?.focus({ preventScroll: true });
  });

  // What was done in a dialog shows at once.
  document.addEventListener("gantry:bulk-done", () => document.querySelectorAll("[data-held]").forEach((region) => region.dispatchEvent(new CustomEvent("live"))));

  // A choice that needs no button.
  document.addEventListener("change", (event) => {
    const form = event.target instanceof Element ? event.target.closest("form[data-at-once]") : null;
    if (form && event.target.matches("select")) form.requestSubmit();
  });
})();
