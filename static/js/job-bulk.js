/* One action on many jobs, in a dialog instead of pages of its own: first what it will hit,
   then batch after batch until the server has no jobs left to ask for. */
(() => {
  const dialog = document.querySelector(".bulkdialog"), said = document.querySelector("[data-said]");
  if (!dialog) return;

  /* The session that the page was opened in is over: what mends that, as a link. */
  class Over extends Error {
    constructor(message, words, href) {
      super(message);
      this.way = document.createElement("a");
      this.way.href = href;
      this.way.textContent = words;
    }
  }

  async function ask(url, options = {}) {
    const answer = await fetch(url, { ...options, headers: { "HX-Request": "true" } });
    const here = location.pathname + location.search;
    if (new URL(answer.url).pathname === "/login") throw new Over("You are signed out", "Sign in", `/login?next=${encodeURIComponent(here)}`);
    if (answer.status === 403) throw new Over("You signed in or out meanwhile", "Reload this page", here);
    if (!answer.ok || answer.redirected) throw new Error(`${answer.status} ${answer.statusText}`);
    return answer.text();
  }

  async function open(url) {
    try {
      dialog.innerHTML = await ask(url);
    } catch (error) {
      if (error instanceof Over) say(`${error.message}, so nothing was done.`, error.way);
      else say(`Nothing was done: the server answered ${error.message}.`);
      return;
    }
    say();
    dialog.showModal();
    dialog.querySelector("#bulk-given, button[type=submit], [data-close]")?.focus();
  }

  async function go(form) {
    const button = form.querySelector("button[type=submit]");
    if (button) button.disabled = true;
    try {
      dialog.innerHTML = await ask(form.getAttribute("action"), { method: "POST", body: new FormData(form) });
    } catch (error) {
      if (error instanceof Over) {
        problem(form, `${error.message}; what was done is done. `, error.way, ", then do it again for the rest.");
        return; // this form is the old session's
      }
      if (button) { button.disabled = false; button.textContent = "Try again"; }
      problem(form, `It was broken off (${error.message}); what was done is done. Try again for the rest.`);
      return;
    }
    if (dialog.querySelector("[data-finished]")) finish(dialog.querySelector("[data-sentence]"));
    else if (dialog.open && dialog.querySelector("[data-going]")) go(dialog.querySelector("form"));
  }

  function problem(form, ...parts) {
    const line = document.createElement("p");
    line.className = "problem";
    line.setAttribute("role", "alert");
    line.append(...parts);
    form.querySelector(".problem")?.remove();
    form.prepend(line);
  }

  function finish(came) {
    dialog.close();
    say(...came.childNodes);
    document.dispatchEvent(new CustomEvent("gantry:bulk-done"));
  }

  function say(...parts) {
    said.replaceChildren(...parts);
  }

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.id === "bulk") {
      event.preventDefault();
      const fields = new URLSearchParams(new FormData(form, event.submitter));
      if (fields.has("all")) fields.delete("job");
      open(`${form.getAttribute("action")}?${fields}`);
    } else if (dialog.contains(form)) {
      event.preventDefault();
      go(form);
    }
  });
  document.addEventListener("click", (event) => {
    const el = event.target instanceof Element ? event.target : null;
    const link = el?.closest("a[data-bulk]");
    if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) { event.preventDefault(); open(link.href); }
    else if (el?.closest("[data-close]") && dialog.contains(el)) { event.preventDefault(); dialog.close(); }
  });
  dialog.addEventListener("close", () => {
    if (dialog.querySelector("[data-going]")) {
      say(...dialog.querySelector("[data-so-far]").cloneNode(true).childNodes);
      document.dispatchEvent(new CustomEvent("gantry:bulk-done"));
    }
  });
})();
