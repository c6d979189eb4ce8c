/* A <details data-menu> as people expect of a menu: its first field has the focus, Escape and
   a click elsewhere close it, this one only while nothing is typed in it. It opens and closes
   without this file too. */
(() => {
  const opened = () => [...document.querySelectorAll("details[data-menu][open]")];

  const typedIn = (menu) => [...menu.querySelectorAll("input")].some((field) => field.value !== field.defaultValue);

  document.addEventListener("toggle", (event) => {
    const menu = event.target;
    if (menu instanceof HTMLDetailsElement && menu.open && menu.matches("[data-menu]")) {
      menu.querySelector("input:not([type=hidden])")?.focus();
    }
  }, true);
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const menu = opened().find((each) => each.contains(document.activeElement)) ?? opened()[0];
    if (!menu || event.defaultPrevented) return;
    menu.open = false;
    menu.querySelector("summary").focus();
    event.preventDefault();
  });
  // The form around a menu is at hand for it: help stays open while a field is filled.
  document.addEventListener("click", (event) => {
    const at = event.target instanceof Element ? event.target : document.body;
    for (const menu of opened()) {
      if (!menu.contains(at) && !menu.closest("form")?.contains(at) && !typedIn(menu)) menu.open = false;
    }
  });
})();
