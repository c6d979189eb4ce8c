/* All that can be done with one row of the list, in a menu: the full stop or the three points
   open it, arrows go through it. Without this file the same is a click or two away. */
(() => {
  if (!document.getElementById("job-rows")) return;
  const menu = document.createElement("div");
  menu.className = "rowmenu";
  menu.popover = "auto";
  menu.setAttribute("role", "menu");
  document.body.append(menu);
  const items = () => [...menu.children];
  let opener = null;

  function item(words, href, kind = "") {
    const el = document.createElement(href === null ? "button" : "a");
    if (href === null) el.type = "button"; else el.href = href;
    el.setAttribute("role", "menuitem");
    el.tabIndex = -1;
    el.className = kind;
    el.textContent = words;
    return el;
  }

  // A word of a query, quoted where it needs to be (jobs/query.py).
  const word = (key, value) => `${key}:${/[\s"\\,]/.test(value) ? `"${value.replace(/(["\\])/g, "\\$1")}"` : value}`;
  const listOf = (...words) => `${location.pathname}?q=${encodeURIComponent(words.join(" "))}`;

  function fill(row) {
    const open = row.querySelector(".name a"), id = row.id.replace("job-", ""), { name, project } = row.dataset;
    menu.setAttribute("aria-label", `Actions for ${name} ${id}`);
    const made = [item("Open", open.href)];
    for (const act of row.querySelectorAll(".acts a")) {
      const copy = item(act.title, act.href, act.title === "Cancel" ? "danger" : "");
      copy.dataset.act = row.id;
      if ("bulk" in act.dataset) copy.dataset.bulk = "";
      made.push(copy);
    }
    const fresh = document.querySelector("a[data-key=n]");
    if (fresh) made.push(item("Run with changes", `${fresh.getAttribute("href")}?from=${id}`));
    made.push(item("Only jobs of this name", listOf(word("name", `=${name}`), word("project", project))));
    made.push(item(`Only jobs of ${project}`, listOf(word("project", project))));
    const copy = item(`Copy its number, ${id}`, null);
    copy.dataset.copy = id;
    made.push(copy);
    menu.replaceChildren(...made);
  }

  function openRowMenu(row, from) {
    opener = from;
    fill(row);
    row.toggleAttribute("data-acting", true);
    menu.showPopover();
    const at = row.getBoundingClientRect(), own = menu.getBoundingClientRect();
    menu.style.top = `${Math.max(8, Math.min(at.bottom, innerHeight - own.height - 8))}px`;
    menu.style.left = `${Math.max(8, at.right - own.width)}px`;
    items()[0].focus();
  }

  // The job may go on meanwhile. What can no longer be done stays where it is, for a hand may be on
  // its way there, and does nothing.
  document.addEventListener("htmx:afterSettle", () => {
    for (const el of menu.querySelectorAll("a[href][data-act]")) {
      const row = document.getElementById(el.dataset.act);
      if (!row || [...row.querySelectorAll(".acts a")].some(({ href }) => href === el.href)) continue;
      el.removeAttribute("href");
      delete el.dataset.bulk;
      el.setAttribute("aria-disabled", "true");
    }
  });

  function close() {
    menu.hidePopover();
    const row = opener?.closest?.("tr");
    (opener?.isConnected ? row?.querySelector(".name a") ?? opener : null)?.focus({ preventScroll: true });
  }

  menu.addEventListener("toggle", (event) => {
    if (event.newState === "closed") document.querySelector("tr[data-acting]")?.removeAttribute("data-acting");
  });
  document.addEventListener("click", (event) => {
    const el = event.target instanceof Element ? event.target : null;
    const more = el?.closest("[data-more]");
    if (more) openRowMenu(more.closest("tr"), more);
    else if (el && menu.contains(el)) close();
  });
  menu.addEventListener("keydown", (event) => {
    const all = items(), here = all.indexOf(document.activeElement);
    if (event.key === "ArrowDown" || event.key === "j") all[(here + 1) % all.length].focus();
    else if (event.key === "ArrowUp" || event.key === "k") all[(here - 1 + all.length) % all.length].focus();
    else if (event.key === "Home") all[0].focus();
    else if (event.key === "End") all.at(-1).focus();
    else if (event.key === "Escape" || event.key === "Tab" || event.key === ".") close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });

  window.Gantry = Object.assign(window.Gantry ?? {}, { openRowMenu });
})();
