/* Comforts of the job form. Without this file a button asks the server for one more row. */
(() => {
  // Rows: the last one is copied empty; removing the only one empties it.
  document.querySelectorAll("[data-rows]").forEach((box) => {
    const rows = () => [...box.querySelectorAll(".kvrow")];
    const empty = (row) => {
      row.querySelectorAll("input").forEach((input) => { input.value = ""; input.removeAttribute("aria-invalid"); });
      row.querySelectorAll(".problem").forEach((problem) => problem.remove());
    };
    const show = () => box.querySelectorAll("[data-remove-row]").forEach((b) => { b.hidden = false; });
    box.addEventListener("click", (event) => {
      const remove = event.target.closest("[data-remove-row]");
      if (remove) {
        const row = remove.closest(".kvrow");
        if (rows().length > 1) row.remove(); else empty(row);
        return;
      }
      const add = event.target.closest("[data-add-row]");
      if (!add) return;
      event.preventDefault();
      const copy = rows().at(-1).cloneNode(true);
      empty(copy);
      box.insertBefore(copy, add);
      copy.querySelector("input").focus();
    });
    show();
  });

  // Sizes: a button fills the two fields, and is pressed while they still say the same.
  const group = document.querySelector("[data-presets]");
  if (!group) return;
  const [cpu, memory, unit] = ["cpu_cores", "memory", "memory_unit"].map((n) => document.querySelector(`[name="${n}"]`));
  const mark = () => group.querySelectorAll("button").forEach((b) => {
    const same = Number(cpu.value) === Number(b.dataset.cpu) &&
      Number(memory.value) * Number(unit.value) === Number(b.dataset.memory) * Number(b.dataset.unit);
    b.setAttribute("aria-pressed", String(same));
  });
  group.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    cpu.value = button.dataset.cpu;
    memory.value = button.dataset.memory;
    unit.value = button.dataset.unit;
    mark();
  });
  [cpu, memory, unit].forEach((field) => field.addEventListener("input", mark));
  group.hidden = false;
  mark();
})();
