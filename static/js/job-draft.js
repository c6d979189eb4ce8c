/* What was sent of the job form is kept in this tab, for this person and address, and written
   again for whoever goes back to the form, or is told after a login that it was not done. A form
   that is opened otherwise, or by another person, begins anew, and one that was refused has come back
   whole. Values of secrets are never kept. */
(() => {
  const DRAFT = "job-draft", NOT_KEPT = ["csrfmiddlewaretoken", "secret_value", "told"];
  const form = document.getElementById("job-form");
  const draftOf = `${Gantry.prefs.user} ${location.pathname}${location.search}`;

  form.addEventListener("submit", (event) => {
    if (event.defaultPrevented) return;
    const fields = [...new FormData(form)].filter(([name]) => !NOT_KEPT.includes(name));
    try {
      sessionStorage.removeItem(DRAFT);  // where there is no room for this one, an older one is none of it
      sessionStorage.setItem(DRAFT, JSON.stringify({ draftOf, fields }));
    } catch { /* it is not kept */ }
  });

  function kept() {
    if ("answer" in form.dataset) return null;
    const [came] = performance.getEntriesByType("navigation");
    try {
      const draft = JSON.parse(sessionStorage.getItem(DRAFT));
      const anew = came.type === "navigate" && !document.querySelector("[data-not-done]");
      if (anew || !draft?.draftOf.startsWith(`${Gantry.prefs.user} `)) { sessionStorage.removeItem(DRAFT); return null; }
      return draft.draftOf === draftOf ? draft.fields : null;
    } catch { return null; }
  }

  function write(fields) {
    const values = (name) => fields.filter(([of]) => of === name).map(([, value]) => value);
    for (const box of form.querySelectorAll("[data-rows]")) {
      const add = box.querySelector("[data-add-row]");
      for (let rows = box.querySelectorAll(".kvrow").length; rows < values(`${box.dataset.rows}_name`).length; rows++) add.click();
    }
    const written = {};
    for (const el of form.elements) {
      if (!el.name || el.type === "submit" || NOT_KEPT.includes(el.name)) continue;
      const all = values(el.name), value = all[written[el.name] ?? 0] ?? "";
      const before = `${el.checked} ${el.value}`;
      if (el.type === "checkbox" || el.type === "radio") el.checked = all.includes(el.value);
      else {
        written[el.name] = (written[el.name] ?? 0) + 1;
        if (el.localName !== "select" || [...el.options].some((option) => option.value === value)) el.value = value;
      }
      if (before !== `${el.checked} ${el.value}`) el.closest("details")?.setAttribute("open", "");
    }
    form.dispatchEvent(new CustomEvent("gantry:written"));
  }

  // Once htmx listens, so that the check at the side is of what stands there.
  document.addEventListener("DOMContentLoaded", () => {
    const fields = kept();
    if (!fields) return;
    write(fields);
    document.querySelector("[data-written]").hidden = false;
    form.querySelector("[name=name]").focus();
  });
})();
