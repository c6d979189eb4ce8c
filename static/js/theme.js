/* Before the first paint, so that no page flashes in the wrong theme: "light", "dark" or
   "auto", under the same key as the Django admin's own switch. */
(() => {
  const root = document.documentElement;
  let kept = null;
  try { kept = localStorage.getItem("theme"); } catch { /* storage is switched off */ }
  root.dataset.theme = kept === "light" || kept === "dark" ? kept : "auto";

  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => root.dataset.theme === "dark" || (root.dataset.theme === "auto" && system.matches);

  addEventListener("DOMContentLoaded", () => {
    const buttons = [...document.querySelectorAll("[data-set-theme]")];
    const show = () => {
      for (const button of buttons) {
        button.setAttribute("aria-pressed", String((button.dataset.setTheme === "dark") === isDark()));
      }
    };
    for (const button of buttons) {
      button.addEventListener("click", () => {
        root.dataset.theme = button.dataset.setTheme;
        try { localStorage.setItem("theme", root.dataset.theme); } catch { /* this page only */ }
        show();
      });
    }
    document.querySelectorAll("[data-theme-switch]").forEach((group) => { group.hidden = false; });
    system.addEventListener("change", show);
    addEventListener("storage", (event) => {
      if (event.key === "theme") { root.dataset.theme = event.newValue || "auto"; show(); }
    });
    show();
  });
})();
