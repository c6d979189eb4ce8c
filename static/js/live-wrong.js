/* A live region that the server refuses says so at its place: what it is, the number to quote,
   and a way to try again. So does one that is not answered. What was there stays, dimmed, until
   there is something newer. A server that cannot be reached is the banner's matter (live.js). */
(() => {
  const WORDS = { 0: "The server does not answer.", 403: "You may no longer see this.", 404: "This is not there any more.", 503: "The server is busy." };

  function button(words, act) {
    const el = document.createElement("button");
    Object.assign(el, { type: "button", className: "btn s", textContent: words });
    if (act) el.addEventListener("click", act);
    return el;
  }

  /* Said once, however often it fails; the number is that of the last time. */
  function say(region, xhr) {
    const words = `${WORDS[xhr.status] ?? `This could not be refreshed (${xhr.status}).`} What you see is of before.`;
    let note = region.querySelector(":scope > .wrong-here");
    if (note?.dataset.words !== words) {
      note?.remove();
      note = document.createElement("p");
      note.className = "wrong-here";
      note.dataset.words = words;
      note.setAttribute("role", "alert");
      note.append(words, button("Copy the request’s number"), button("Try again", () => region.dispatchEvent(new CustomEvent("live"))));
      region.prepend(note);
    }
    const copy = note.querySelector("button"), number = xhr.getResponseHeader("X-Request-Id") ?? "";
    copy.dataset.copy = number;
    copy.title = `Request ${number}`;
    copy.hidden = !number;
    region.setAttribute("data-wrong", "");
  }

  const regionOf = (detail) => (detail.elt?.matches?.("[data-live]") ? detail.elt : null);

  document.addEventListener("htmx:responseError", ({ detail }) => {
    const region = regionOf(detail);
    if (!region || detail.xhr.status === 401) return;
    // The first "busy" is asked again at once and need not worry anybody.
    if (detail.xhr.status === 503 && !region.hasAttribute("data-busy")) region.setAttribute("data-busy", "");
    else say(region, detail.xhr);
  });
  document.addEventListener("htmx:timeout", ({ detail }) => { if (regionOf(detail)) say(detail.elt, detail.xhr); });
  document.addEventListener("htmx:afterRequest", ({ detail }) => {
    const region = regionOf(detail);
    if (!region || !detail.successful) return;
    region.removeAttribute("data-busy");
    region.removeAttribute("data-wrong");
    region.querySelector(":scope > .wrong-here")?.remove();
  });
})();
