/* The sheet of shortcuts: those of every page, and those of this one, from keys.js. */
const { keys } = Gantry;
const FIXED = [["Ctrl K", "search or jump to"], ["?", "this sheet"], ["Ctrl Enter", "send the form that you write"], ["Esc", "close what is in front"]];
let dialog = null, back = null;

function make(name, className = "", ...parts) {
  const el = document.createElement(name);
  if (className) el.className = className;
  el.append(...parts);
  return el;
}

const mac = /Mac|iP(hone|ad)/.test(navigator.platform);
const cap = (key) => make("kbd", "always", key === "Ctrl" && mac ? "⌘" : key.length === 1 ? key.toUpperCase() : key);

function part(title, rows) {
  const head = make("h3", "", title), all = make("dl", "");
  for (const [pressed, words] of rows) {
    const term = make("dt");
    pressed.split(" ").forEach((key, i) => term.append(...(i ? [" "] : []), cap(key)));
    all.append(make("div", "", term, make("dd", "", words)));
  }
  return make("section", "", head, all);
}

function shut() {
  dialog.close();
  if (back?.isConnected && back !== document.body) back.focus({ preventScroll: true });
  else document.activeElement.blur();
}

export function open() {
  if (document.querySelector("dialog[open]")) return;
  back = document.activeElement;
  if (!dialog) {
    dialog = make("dialog", "keysheet");
    dialog.setAttribute("aria-labelledby", "keysheet-title");
    document.body.append(dialog);
    dialog.addEventListener("click", ({ target }) => { if (target === dialog || target.closest("[data-close]")) shut(); });
    dialog.addEventListener("keydown", (event) => { if (event.key === "?" || event.key === "Escape") { event.preventDefault(); shut(); } });
    dialog.addEventListener("cancel", (event) => { event.preventDefault(); shut(); });
  }
  const title = make("h2", "", "Shortcuts");
  title.id = "keysheet-title";
  const close = make("button", "btn s", "Close");
  close.type = "button";
  close.dataset.close = "";
  const note = make("p", "muted");
  const settings = make("a", "link", "Settings");
  settings.href = "/settings#keyboard";
  note.append(keys.on()
    ? "Keys of one letter do nothing while you type, and can be switched off in "
    : "Keys of one letter are switched off; Ctrl K and Esc still work. Switch them on in ", settings, ".");
  const everywhere = (el) => el.closest("header.top") !== null;
  const all = keys.reached, row = ({ key, words }) => [key, words];
  const here = all.filter(({ el }) => !everywhere(el)).map(row);
  const parts = [
    part("Everywhere", [...FIXED, ...all.filter(({ el }) => everywhere(el)).map(row)]),
    part("Go to", keys.pages.filter(({ key }) => key).map(({ key, words }) => [`g ${key}`, words])),
    ...(here.length ? [part("On this page", here)] : []),
    ...[...keys.told].map(([name, rows]) => part(name, rows)),
  ];
  dialog.replaceChildren(make("header", "", title, close), make("div", "sheetparts", ...parts), note);
  dialog.showModal();
  close.focus();
}
