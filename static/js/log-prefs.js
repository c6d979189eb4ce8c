/* How somebody likes to read logs, kept with their other preferences (prefs.js).

   Each control has data-log-pref="<name>"; what is chosen stands as data-<name> on the
   viewer's section, and log.css does the rest. Full screen is remembered by this tab only. */
const FIRST = { time: "off", wrap: "off", streams: "both", stderr: "on", size: "12", case: "off", full: "off" };

function remembered(name) {
  if (name !== "full") return Gantry.prefs.get(`log_${name}`) ?? FIRST[name];
  try { return sessionStorage.getItem("log.full") ?? FIRST.full; } catch { return FIRST.full; }
}

function remember(name, value) {
  if (name !== "full") { Gantry.prefs.set(`log_${name}`, value); return; }
  try { sessionStorage.setItem("log.full", value); } catch { /* this tab remembers nothing */ }
}

export class LogPrefs {
  /* `apply(name, change)` is told of each choice, and calls `change` to make it. */
  constructor(section, apply) {
    this.section = section;
    this.apply = apply;
    this.fields = [...section.querySelectorAll("[data-log-pref]")];
    for (const name of Object.keys(FIRST)) this.show(name, remembered(name));
    section.addEventListener("change", ({ target }) => {
      const name = target.dataset.logPref;
      if (name) this.set(name, target.type === "checkbox" ? (target.checked ? "on" : "off") : target.value);
    });
  }

  get(name) { return this.section.dataset[name]; }

  is(name) { return this.get(name) === "on"; }

  set(name, value) {
    remember(name, value);
    this.apply(name, () => this.show(name, value));
  }

  show(name, value) {
    this.section.dataset[name] = value;
    if (name === "full") {
      document.documentElement.toggleAttribute("data-log-full", value === "on");
      this.section.querySelector("[data-log-full]").setAttribute("aria-pressed", String(value === "on"));
    }
    for (const field of this.fields) {
      if (field.dataset.logPref !== name) continue;
      if (field.type === "checkbox") field.checked = value === "on";
      else if (field.type === "radio") field.checked = field.value === value;
      else field.value = value;
    }
  }
}
