/* What somebody prefers. The server keeps it for whoever is signed in, this browser for the
   time until it has been told; it runs before the first paint, so that no page flashes.

   The theme also stands in localStorage.theme, where the Django admin's own switch keeps it:
   what that says, and the server does not know of yet, was chosen last and rules. */
(() => {
  const { cookie, chosen, save, user, unread } = document.currentScript.dataset;
  const root = document.documentElement, SAVE_AFTER_MS = 250;
  const memory = {
    get(key) { try { return localStorage.getItem(key); } catch { return null; } },
    set(key, value) { try { localStorage.setItem(key, value); } catch { /* this page only */ } },
  };
  const known = chosen ? JSON.parse(chosen) : {};
  const box = `unsaved.${user}`;
  const unsaved = save ? JSON.parse(memory.get(box) ?? "{}") : {};
  const get = (name) => unsaved[name] ?? known[name];
  const darkened = matchMedia("(prefers-color-scheme: dark)");
  let timer = 0;

  const apply = {
    theme(value) {
      root.dataset.theme = value;
      const meta = document.querySelector("meta[name=color-scheme]");
      if (meta) meta.content = value === "auto" ? "light dark" : value;
      memory.set("theme", value);
    },
    density(value) { root.dataset.density = value; },
    keys(value) { root.dataset.keys = value; },
    zone(value) {
      const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
      const kept = document.cookie.split("; ").find((one) => one.startsWith(`${cookie}=`));
      // Where the server could not read what was chosen, what it said last still holds.
      if (unread !== undefined && kept) { root.dataset.zone = decodeURIComponent(kept.slice(cookie.length + 1)); return; }
      root.dataset.zone = value && value !== "local" ? value : own;
      const wanted = `${cookie}=${root.dataset.zone}`;
      if (kept === wanted) return;
      document.cookie = `${wanted}; path=/; max-age=31536000; samesite=lax${location.protocol === "https:" ? "; secure" : ""}`;
    },
  };

  const here = memory.get("theme"), agreed = memory.get("theme.agreed");
  if (here && here !== agreed) { if (save) unsaved.theme = here; else known.theme = here; }
  else if (!save) known.theme = here ?? "auto";
  root.dataset.js = "";
  apply.theme(get("theme") ?? "auto");
  // Somebody who is not signed in chooses for this browser alone, until they are.
  if (save || !here) memory.set("theme.agreed", get("theme") ?? "auto");
  apply.zone(get("zone"));
  if (unsaved.density) apply.density(unsaved.density);
  if (unsaved.keys) apply.keys(unsaved.keys);
  if (save) memory.set(box, JSON.stringify(unsaved));

  function set(name, value) {
    if (get(name) === value) return;
    (save ? unsaved : known)[name] = value;
    apply[name]?.(value);
    if (!save) return;
    if (name === "theme") memory.set("theme.agreed", value);
    memory.set(box, JSON.stringify(unsaved));
    clearTimeout(timer);
    timer = setTimeout(send, SAVE_AFTER_MS);
  }

  /* What cannot be sent now is sent from a later page. */
  async function send() {
    clearTimeout(timer);
    const sent = { ...unsaved }, token = document.querySelector("[name=csrfmiddlewaretoken]")?.value;
    if (!save || !token || !Object.keys(sent).length) return;
    let answer = null;
    try {
      answer = await fetch(save, {
        method: "POST", body: new URLSearchParams(sent), headers: { "X-CSRFToken": token }, keepalive: true, redirect: "error",
      });
    } catch { /* away, or signed out */ }
    if (answer && (answer.ok || answer.status === 422)) {
      for (const [name, value] of Object.entries(sent)) {
        if (answer.ok) known[name] = value;
        if (unsaved[name] === value) delete unsaved[name];
      }
      memory.set(box, JSON.stringify(unsaved));
    }
    dispatchEvent(new CustomEvent("gantry:saved", { detail: Boolean(answer?.ok) }));
  }

  addEventListener("DOMContentLoaded", () => {
    const isDark = () => root.dataset.theme === "dark" || (root.dataset.theme === "auto" && darkened.matches);
    const show = () => {
      for (const button of document.querySelectorAll("[data-set-theme]")) {
        button.setAttribute("aria-pressed", String((button.dataset.setTheme === "dark") === isDark()));
      }
    };
    document.addEventListener("click", ({ target }) => {
      const button = target instanceof Element ? target.closest("[data-set-theme]") : null;
      if (button) set("theme", button.dataset.setTheme);
    });
    darkened.addEventListener("change", show);
    // Another tab's choice, which that tab saves; and the admin's own switch.
    addEventListener("storage", ({ key, newValue }) => {
      if (key !== "theme") return;
      delete unsaved.theme;
      known.theme = newValue ?? "auto";
      apply.theme(known.theme);
    });
    new MutationObserver(() => {
      show();
      if (root.dataset.theme !== (get("theme") ?? "auto")) set("theme", root.dataset.theme);
    }).observe(root, { attributes: true, attributeFilter: ["data-theme"] });
    show();
    send();
  });
  addEventListener("pagehide", send);

  window.Gantry = Object.assign(window.Gantry ?? {}, { prefs: { get, set, user } });
})();
