/* The palette: go anywhere or do anything by typing a part of its name.

   What this page knows itself (its pages, its keys, where somebody was) is listed at once; what
   the server finds among jobs and providers is added below it, so that nothing moves from
   under the marked line. A combobox in a dialog: the focus stays in the field. */
const { keys, prefs } = Gantry;
const WAIT_MS = 120, MOST = 7, MOST_RECENT = 5;
const GROUPS = ["On this page", "Go to", "Recent", "Jobs", "Providers", "Projects", "Actions", "Search"];
const FOUND = { job: { group: "Jobs", icon: "" }, provider: { group: "Providers", icon: "server" }, project: { group: "Projects", icon: "folder" } };
const SVG = "http://www.w3.org/2000/svg";

let dialog = null, field = null, list = null, said = null, back = null;
let own = [], found = { query: "", items: [] }, trouble = "", marked = null, timer = 0, asked = null;

function make(name, className = "", words = "") {
  const el = document.createElement(name);
  if (className) el.className = className;
  if (words) el.textContent = words;
  return el;
}

function picture(href, className) {
  const svg = document.createElementNS(SVG, "svg"), use = document.createElementNS(SVG, "use");
  svg.setAttribute("class", className);
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  use.setAttribute("href", href);
  svg.append(use);
  return svg;
}

/* As in templatetags/gantry.py: this one stands in the page, so that its ring can turn. */
function running() {
  const svg = picture("", "st s-running");
  svg.innerHTML = '<circle cx="8" cy="8" r="6" opacity=".3"/><path class="spin" d="M8 2a6 6 0 0 1 6 6"/><circle cx="8" cy="8" r="2.6" fill="currentColor" stroke="none"/>';
  return svg;
}

const icon = (name) => `${keys.sprite}#i-${name}`;

function build() {
  dialog = make("dialog", "palette");
  dialog.setAttribute("aria-label", "Search or jump to");
  const box = make("div", "palettefield");
  field = make("input");
  for (const [name, value] of Object.entries({
    type: "text", role: "combobox", "aria-expanded": "true", "aria-controls": "palette-list", "aria-autocomplete": "list",
    "aria-label": "Search or jump to", placeholder: "A page, an action, a job’s number or name", autocomplete: "off",
    autocapitalize: "off", spellcheck: "false", maxlength: "100",
  })) field.setAttribute(name, value);
  const leave = make("button", "palettex");
  Object.assign(leave, { type: "button", tabIndex: -1 });
  leave.title = "Close";
  leave.append(make("kbd", "always", "Esc"), picture(icon("x"), "i"));
  leave.addEventListener("click", shut);
  box.append(picture(icon("search"), "i"), field, leave);
  list = make("div", "palettelist");
  list.id = "palette-list";
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "What was found");
  list.tabIndex = -1;
  said = make("p", "palettesaid");
  said.setAttribute("role", "status");
  dialog.append(box, list, said);
  document.body.append(dialog);

  field.addEventListener("input", () => { marked = null; show(); ask(); });
  field.addEventListener("keydown", onKey);
  list.addEventListener("pointermove", ({ target }) => { const option = target.closest("[role=option]"); if (option && option.id !== marked) mark(option); });
  list.addEventListener("mousedown", (event) => event.preventDefault()); // the focus stays in the field
  list.addEventListener("click", (event) => {
    const option = event.target.closest("[role=option]");
    if (!option) return;
    if (option.href && (event.ctrlKey || event.metaKey || event.shiftKey)) return; // a tab of its own
    event.preventDefault();
    run(option.entry);
  });
  dialog.addEventListener("click", ({ target }) => { if (target === dialog) shut(); });
  dialog.addEventListener("cancel", (event) => { event.preventDefault(); shut(); });
}

export function open(typed = "") {
  if (!dialog) build();
  if (dialog.open) { shut(); return; }
  if (document.querySelector("dialog[open]")) return; // one thing at a time
  back = document.activeElement;
  own = known();
  found = { query: "", items: [] };
  trouble = "";
  marked = null;
  field.value = typed;
  show();
  dialog.showModal();
  field.focus();
  if (typed) ask();
}

/* The focus goes back to where it was; where a live region was replaced meanwhile, by its id. */
function shut() {
  clearTimeout(timer);
  asked?.abort();
  dialog.close();
  const there = back?.isConnected ? back : document.getElementById(back?.id || "main");
  if (there && there !== document.body) there.focus({ preventScroll: true });
  else field.blur();
}

// What this page knows.
function known() {
  const there = keys.pages.map(({ url, key, words, icon: href }) => ({ group: "Go to", words, url, key: key && `g ${key}`, href }));
  const here = keys.reached.map(({ el, key, words, typed }) => ({
    group: "On this page", words, key, href: icon(typed ? "search" : "right"),
    url: el instanceof HTMLAnchorElement ? el.href : "",
    act: () => keys.reach(el),
  }));
  return [...here, ...there, ...recent(), ...actions()];
}

function recent() {
  try {
    return JSON.parse(localStorage.getItem(`recent.${prefs.user}`) ?? "[]").filter(({ url }) => url !== location.pathname).slice(0, MOST_RECENT)
      .map(({ url, words, small }) => ({ group: "Recent", words, small, url, href: icon("clock") }));
  } catch { return []; }
}

function actions() {
  const root = document.documentElement, compact = root.dataset.density === "compact";
  const one = (words, name, act, extra = {}) => ({ group: "Actions", words, href: icon(name), act, ...extra });
  const theme = (words, name, value) => one(words, name, () => prefs.set("theme", value), { also: "theme colour mode" });
  const listed = [
    one("Shortcuts of this page", "keyboard", () => keys.openers.sheet(), { key: "?", also: "keyboard keys help" }),
    theme("Light theme", "sun", "light"), theme("Dark theme", "moon", "dark"), theme("Theme of the system", "sun", "auto"),
    one(compact ? "Comfortable rows" : "Compact rows", "jobs", () => prefs.set("density", compact ? "comfortable" : "compact"), { also: "density" }),
    one(keys.on() ? "Switch single-key shortcuts off" : "Switch single-key shortcuts on", "keyboard", () => prefs.set("keys", keys.on() ? "off" : "on")),
  ];
  const out = document.querySelector(".side form[data-sign-out]");
  if (out) listed.push(one("Sign out", "exit", () => out.requestSubmit(), { also: "log out" }));
  return listed;
}

// What fits: each typed word begins a word; one of three letters may be inside, or spread.
function fit(entry, parts) {
  const text = `${entry.words} ${entry.small ?? ""} ${entry.also ?? ""}`.toLowerCase();
  let sum = entry.words.toLowerCase().startsWith(parts[0]) ? 1 : 0;
  for (const part of parts) {
    const at = text.indexOf(part);
    if (at === 0 || (at > 0 && /[\s\-_./·#]/.test(text[at - 1]))) sum += 3;
    else if (at > 0 && part.length > 2) sum += 2;
    else if (part.length > 2 && follows(entry.words.toLowerCase(), part)) sum += 0.5;
    else return 0;
  }
  return sum;
}

function follows(text, letters) {
  let at = -1;
  return [...letters].every((letter) => (at = text.indexOf(letter, at + 1)) >= 0);
}

function entries() {
  const query = field.value.trim(), parts = query.toLowerCase().split(/\s+/).filter(Boolean);
  if (!parts.length) return own;
  const here = own.map((entry) => [fit(entry, parts), entry]).filter(([sum]) => sum > 0)
    .sort((a, b) => b[0] - a[0]).map(([, entry]) => entry);
  // Until the server has answered anew, what it found before and still fits stays.
  const there = found.items.filter((entry) => found.query === query || fit(entry, parts) > 0);
  const listed = new Set(there.map(({ url }) => url));
  const number = /^#?(\d{1,18})$/.exec(query);
  const direct = number && !listed.has(`/jobs/${number[1]}`)
    ? [{ group: "Go to", words: `Job ${number[1]}`, url: `/jobs/${number[1]}`, href: icon("right") }] : [];
  const search = { group: "Search", words: `All jobs with “${query}”`, url: `/jobs?${new URLSearchParams({ q: query })}`, href: icon("search") };
  return [...direct, ...here.filter(({ url }) => !url || !listed.has(url)), ...there, search];
}

// What the server knows.
function ask() {
  clearTimeout(timer);
  asked?.abort();
  const query = field.value.trim();
  if (!query) return;
  timer = setTimeout(async () => {
    const mine = asked = new AbortController();
    try {
      const answer = await fetch(`/_/palette?${new URLSearchParams({ q: query })}`, { signal: mine.signal, redirect: "error" });
      if (!answer.ok) throw new Error(`it answered ${answer.status}`);
      const { items } = await answer.json();
      if (mine !== asked) return;
      found = { query, items: items.map((item) => ({ ...item, group: FOUND[item.kind].group, href: FOUND[item.kind].icon && icon(FOUND[item.kind].icon) })) };
      trouble = "";
    } catch (error) {
      if (mine !== asked || error.name === "AbortError") return;
      trouble = "The server cannot be asked now; only what this page knows is listed.";
    }
    show();
  }, WAIT_MS);
}

// What is shown.
function show() {
  const all = entries(), typed = Boolean(field.value.trim());
  const parts = GROUPS.map((group) => [group, all.filter((entry) => entry.group === group).slice(0, typed ? MOST : 12)]).filter(([, of]) => of.length);
  // The best of what fits leads, so that Enter does what was meant.
  const best = all[0]?.group;
  if (typed) parts.sort((a, b) => (b[0] === best) - (a[0] === best));
  list.replaceChildren(...parts.map(([group, of], g) => {
    const part = make("div"), head = make("p", "palettegroup", group);
    head.id = `palette-group-${g}`;
    part.setAttribute("role", "group");
    part.setAttribute("aria-labelledby", head.id);
    part.append(head, ...of.map((entry) => line(entry)));
    return part;
  }));
  const options = [...list.querySelectorAll("[role=option]")];
  mark(options.find(({ id }) => id === marked) ?? options[0]);
  const count = options.length - (typed ? 1 : 0);
  said.textContent = trouble || (typed ? (count ? `${count} found` : `Nothing here is called “${field.value.trim()}”.`) : "");
}

function line(entry) {
  const el = make(entry.url ? "a" : "div", "paletteline");
  if (entry.url) { el.href = entry.url; el.tabIndex = -1; }
  el.setAttribute("role", "option");
  el.setAttribute("aria-selected", "false");
  el.id = `palette-${entry.group}-${entry.url || entry.words}`.replace(/\W+/g, "-").toLowerCase();
  el.entry = entry;
  if (entry.state === "running") el.append(running());
  else if (entry.state) el.append(picture(`${keys.sprite}#st-${entry.state}`, `st s-${entry.state}`));
  else el.append(picture(entry.href, "i"));
  const words = make("span", "words", entry.words);
  if (entry.state) words.append(make("span", "muted", ` ${entry.state}`));
  el.append(words);
  if (entry.small) el.append(make("small", "muted", entry.small));
  if (entry.key && (keys.on() || entry.key.length > 3)) {
    const caps = make("span", "caps");
    caps.append(...entry.key.split(" ").map((key) => make("kbd", "", key.length === 1 ? key.toUpperCase() : key)));
    el.append(caps);
  }
  return el;
}

function mark(option) {
  list.querySelector("[aria-selected=true]")?.setAttribute("aria-selected", "false");
  marked = option?.id ?? null;
  option?.setAttribute("aria-selected", "true");
  option?.scrollIntoView({ block: "nearest" });
  if (marked) field.setAttribute("aria-activedescendant", marked); else field.removeAttribute("aria-activedescendant");
}

function onKey(event) {
  if (event.isComposing) return;
  const options = [...list.querySelectorAll("[role=option]")], at = options.findIndex(({ id }) => id === marked);
  const last = options.length - 1;
  const to = {
    ArrowDown: at >= last ? 0 : at + 1, ArrowUp: at <= 0 ? last : at - 1, Home: 0, End: last,
    PageDown: Math.min(last, at + MOST), PageUp: Math.max(0, at - MOST),
  }[event.key];
  if (to !== undefined && !event.shiftKey) {
    event.preventDefault();
    if (options[to]) mark(options[to]);
  } else if (event.key === "Enter" && options[at]) {
    event.preventDefault();
    if (options[at].href && (event.ctrlKey || event.metaKey)) window.open(options[at].href);
    else run(options[at].entry);
  } else if (event.key === "Escape") {
    event.preventDefault();
    shut();
  } else if (event.key === "Tab") event.preventDefault(); // there is nothing else to reach here
}

/* Does what the marked line says. */
export function choose() {
  const option = list.querySelector("[aria-selected=true]");
  if (dialog.open && option) run(option.entry);
}

function run(entry) {
  shut();
  if (entry.act) entry.act(); else location.assign(entry.url);
}
