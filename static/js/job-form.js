/* Comforts of the job form. Without this file a button asks the server for one more row, or
   for the check at the side, which is asked for here whenever something is typed. */
(() => {
  const form = document.getElementById("job-form");
  const check = document.getElementById("job-check");
  let typed = false, sending = false;
  const changed = (field = form) => { typed = true; field.dispatchEvent(new Event("input", { bubbles: true })); };

  // Rows: the last one is copied empty; removing the only one empties it.
  document.querySelectorAll("[data-rows]").forEach((box) => {
    const rows = () => [...box.querySelectorAll(".kvrow")];
    const empty = (row) => {
      row.querySelectorAll("input").forEach((input) => { input.value = ""; input.removeAttribute("aria-invalid"); });
      row.querySelectorAll(".problem").forEach((problem) => problem.remove());
    };
    const number = () => rows().forEach((row, at) => {
      row.querySelectorAll("[aria-label]").forEach((el) => el.setAttribute("aria-label", el.getAttribute("aria-label").replace(/\d+$/, at + 1)));
      row.querySelector("input").id = `${box.dataset.rows}_name_${at + 1}`;
    });
    box.addEventListener("click", (event) => {
      const remove = event.target.closest("[data-remove-row]");
      if (remove) {
        const row = remove.closest(".kvrow");
        const next = row.nextElementSibling?.querySelector("input") ?? row.previousElementSibling?.querySelector("input");
        if (rows().length > 1) row.remove(); else empty(row);
        (next ?? row.querySelector("input")).focus();
        number();
        changed();
        return;
      }
      const add = event.target.closest("[data-add-row]");
      if (!add) return;
      event.preventDefault();
      const copy = rows().at(-1).cloneNode(true);
      empty(copy);
      box.insertBefore(copy, add);
      number();
      copy.querySelector("input").focus();
    });
    box.querySelectorAll("[data-remove-row]").forEach((button) => { button.hidden = false; });
  });

  // Sizes: a button fills the two fields, and is pressed while they still say the same.
  const sizes = document.querySelector("[data-presets]");
  const [cpu, memory, unit] = ["cpu_cores", "memory", "memory_unit"].map((name) => form.elements[name]);
  const mark = () => sizes.querySelectorAll("button").forEach((button) => {
    const same = Number(cpu.value) === Number(button.dataset.cpu) &&
      Number(memory.value) * Number(unit.value) === Number(button.dataset.memory) * Number(button.dataset.unit);
    button.setAttribute("aria-pressed", String(same));
  });
  sizes.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    cpu.value = button.dataset.cpu;
    memory.value = button.dataset.memory;
    unit.value = button.dataset.unit;
    changed(cpu);
    changed(memory);
  });
  form.addEventListener("input", mark);
  sizes.hidden = false;
  mark();

  // What was wrong with a field is told no more once it is changed; the check says what is now.
  form.addEventListener("input", ({ target }) => {
    if (!target.matches("[aria-invalid]")) return;
    target.removeAttribute("aria-invalid");
    target.closest(".field, .kvrow")?.querySelectorAll(".problem").forEach((problem) => problem.remove());
    const told = form.querySelector(`[data-faults] a[href="#${CSS.escape(target.id)}"]`);
    const list = told?.closest("ul");
    told?.closest("li").remove();
    if (!list) return;
    const left = list.children.length, box = list.closest("[data-faults]");
    if (left) box.querySelector("[data-count]").textContent = `${left} thing${left > 1 ? "s" : ""}`;
    else box.remove();
  });

  // The preview shows one of two texts.
  const shows = document.querySelector("[data-preview]");
  shows.addEventListener("click", (event) => {
    const chosen = event.target.closest("[data-shows]");
    if (!chosen) return;
    check.dataset.shown = chosen.dataset.shows;
    shows.querySelector("[data-copy-from]").dataset.copyFrom = `preview-${chosen.dataset.shows}`;
    shows.querySelectorAll("[data-shows]").forEach((button) => button.setAttribute("aria-pressed", String(button === chosen)));
  });
  check.dataset.shown = "json";
  shows.hidden = false;

  // More than the server reads of a form would be lost with the page.
  const tooLarge = document.querySelector("[data-too-large]");
  const fits = () => {
    const sent = new URLSearchParams(new FormData(form));
    return sent.size < form.dataset.mostFields && String(sent).length < form.dataset.mostBytes;
  };

  // A check that is refused must not pass for one of now.
  const lost = document.querySelector("[data-check-lost]");
  const told = (wrong) => {
    lost.hidden = !wrong;
    document.querySelectorAll("#job-fit, #job-preview").forEach((el) => { el.dataset.stale = String(wrong); });
  };
  document.addEventListener("htmx:afterRequest", ({ detail }) => {
    if (detail.elt !== check || !detail.xhr.status) return;
    const elsewhere = detail.xhr.responseURL && !detail.xhr.responseURL.includes("/_/jobs/check");
    tooLarge.hidden = fits();
    told(tooLarge.hidden && (elsewhere || (detail.xhr.status >= 400 && detail.xhr.status < 500)));
  });

  // What was typed is not thrown away unasked, and sent once however often it is pressed.
  form.addEventListener("input", (event) => { if (event.isTrusted) typed = true; });
  form.addEventListener("gantry:written", () => changed());
  addEventListener("beforeunload", (event) => { if (typed && !sending) event.preventDefault(); });
  const busy = (on) => {
    sending = on;
    form.querySelectorAll("[data-run]").forEach((button) => button.setAttribute("aria-disabled", String(on)));
  };
  form.addEventListener("submit", (event) => {
    if (sending) { event.preventDefault(); return; }
    tooLarge.hidden = fits();
    if (!tooLarge.hidden) { event.preventDefault(); return; }
    busy(true);
    setTimeout(() => busy(false), 8_000);  // it may have been stopped; a twin makes no second job
  });
  addEventListener("pageshow", (event) => { if (event.persisted) busy(false); });
})();
