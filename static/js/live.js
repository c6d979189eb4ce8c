/* Live regions. The socket says what changed; each region fetches itself over HTTP.

   An element with data-live="job:42" (or jobs, provider:3, …), hx-get and hx-trigger="live" is
   refreshed when its topic is signalled, after every (re)connect, when the tab is looked at
   again, and by a slow poll while there is no socket. It may have several topics, and with
   data-every="2000" at least so many ms between two fetches. log-viewer.js shares the socket. */
(() => {
  const OBJECT_MS = 500, LIST_MS = 500, SPREAD_MS = 200;
  const POLL_MS = 15_000, FLOOR_MS = 60_000, SILENCE_MS = 45_000;
  const ANSWER_MS = 15_000;  // a fetch whose connection was lost without a word would hang for many minutes
  const AGAIN_MS = 2_000, MOST_AGAIN_MS = 15_000;  // a fetch that got no answer, or "busy", is made again
  const BANNER_MS = 3_000, STALE_MS = 10_000, FIRST_BACKOFF_MS = 500, MOST_BACKOFF_MS = 15_000;
  const FOREIGN = 4403;  // the server takes no socket from a page of this address (consumers.py)
  const root = document.documentElement;
  const now = () => performance.now();

  let socket = null, up = false, over = false, foreign = false, tries = 0, build = null;
  let heardAt = 0, downSince = now(), fetchedAt = now(), retryTimer = 0;
  let failures = new WeakMap();  // region: how often in a row its fetch has failed
  const subscribed = new Set(), logs = new Map(), timing = new WeakMap(), waiting = new Set();

  const regions = () => [...document.querySelectorAll("[data-live]")];
  const topicsOf = (el) => el.dataset.live.split(" ");
  const topicsWanted = () => new Set(regions().flatMap(topicsOf));
  const logKey = (job, attempt) => `${job}/${attempt}`;

  // One region: never two fetches within its interval, and never without the last one. What is
  // wanted sooner than what is due already takes its place.
  function refresh(el, every = /:/.test(el.dataset.live) ? OBJECT_MS : LIST_MS) {
    if (over) return;
    const times = timing.get(el) ?? { last: -Infinity, due: Infinity, timer: 0 };
    timing.set(el, times);
    const failed = failures.get(el) ?? 0;
    const again = failed && Math.min(MOST_AGAIN_MS, AGAIN_MS * 2 ** (failed - 1));
    const pause = Math.max(every, again, Number(el.dataset.every ?? 0));
    const earliest = Math.max(now(), times.last + pause), spread = Math.min(SPREAD_MS, pause / 5);
    if (times.due <= earliest + spread) return;
    clearTimeout(times.timer);
    times.due = earliest + Math.random() * spread;
    times.timer = setTimeout(() => {
      times.due = Infinity;
      if (!el.isConnected) return;
      if ((document.hidden && !el.dataset.title) || inUse(el)) { hold(el); return; }
      times.last = now();
      el.removeAttribute("data-updated");
      el.dispatchEvent(new CustomEvent("live"));
    }, times.due - now());
  }

  function refreshAll() {
    fetchedAt = now();
    regions().forEach((el) => refresh(el));
  }

  // After what may have mended it, nothing waits for an earlier failure.
  function forgive() {
    for (const el of regions()) if (failures.has(el)) timing.get(el).last = -Infinity;
    failures = new WeakMap();
  }

  function resync() {
    forgive();
    refreshAll();
  }

  // What somebody types in, has opened or has selected is not pulled from under them.
  function inUse(el) {
    const focus = document.activeElement;
    if (focus !== el && el.contains(focus) && focus.matches("input:not([type=checkbox]), textarea, select, [contenteditable]")) return true;
    if (el.querySelector("dialog[open], [popover]:popover-open, details[data-menu][open]")) return true;
    const selection = getSelection();
    return selection.rangeCount > 0 && !selection.isCollapsed && selection.getRangeAt(0).intersectsNode(el);
  }

  function hold(el) {
    waiting.add(el);
    if (!document.hidden) el.setAttribute("data-updated", "");
  }

  function release() {
    for (const el of waiting) {
      if (!el.isConnected) waiting.delete(el);
      else if (!document.hidden && !inUse(el)) { waiting.delete(el); refresh(el); }
    }
  }

  // The socket.
  function send(message) {
    if (up) socket.send(JSON.stringify(message));
  }

  function connect() {
    clearTimeout(retryTimer);
    if (socket || over || (!regions().length && !logs.size)) return;
    const mine = socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws/live`);
    heardAt = now();
    mine.onmessage = (event) => {
      if (mine !== socket) return;
      heardAt = now();
      hear(JSON.parse(event.data));
    };
    mine.onclose = (event) => { if (mine === socket) lost(event.code); };
  }

  function lost(code) {
    if (up) downSince = now();
    socket = null;
    up = false;
    subscribed.clear();
    show();
    if (over) return;
    if (code === FOREIGN) foreign = true;
    else if (code >= 4400 && code < 4500) { signedOut(); return; }
    const most = Math.min(MOST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** tries++);
    retryTimer = setTimeout(connect, foreign ? FLOOR_MS : Math.random() * most);
  }

  function drop() {
    const old = socket;
    lost(0);
    old?.close();
  }

  function hear(message) {
    switch (message.t) {
      case "hello":
        up = true;
        foreign = false;
        tries = 0;
        show();
        if (build && build !== message.build) banner("A new version of Gantry is here.", "Reload", location.href);
        build ??= message.build;
        forgive();
        subscribe();
        logs.forEach((log) => log.reopen());
        break;
      case "ping": send({ op: "pong" }); break;
      case "subscribed":
        regions().filter((el) => topicsOf(el).some((topic) => message.topics.includes(topic))).forEach((el) => refresh(el));
        break;
      case "job": case "provider": case "request": signalled(`${message.t}:${message.id}`, message.rev); break;
      case "jobs": case "providers":
        regions().filter((el) => topicsOf(el).includes(message.topic)).forEach((el) => refresh(el, message.every_ms));
        break;
      case "resync": refreshAll(); break;
      case "log": case "gap": case "end": case "logerror":
        logs.get(logKey(message.job, message.attempt))?.hear(message);
        break;
      case "denied": denied(message);
    }
  }

  // What may not be seen (any more) says so at its place: a log itself, a region by what its fetch
  // is answered.
  function denied(message) {
    const [kind, key] = message.topic.split(":");
    if (kind === "log") logs.get(key)?.hear(message);
    else signalled(message.topic);
  }

  function signalled(topic, rev) {
    for (const el of regions()) {
      if (topicsOf(el).includes(topic) && !(rev <= Number(el.dataset.rev))) refresh(el);
    }
  }

  function subscribe() {
    if (!up) { connect(); return; }
    const wanted = topicsWanted();
    const fresh = [...wanted].filter((topic) => !subscribed.has(topic));
    const gone = [...subscribed].filter((topic) => !wanted.has(topic));
    fresh.forEach((topic) => subscribed.add(topic));
    gone.forEach((topic) => subscribed.delete(topic));
    if (fresh.length) send({ op: "sub", topics: fresh });
    if (gone.length) send({ op: "unsub", topics: gone });
  }

  // What the page says about itself.
  function show() {
    const down = up || over ? 0 : now() - downSince;
    const stale = down > STALE_MS + (foreign ? POLL_MS : 0);
    root.toggleAttribute("data-stale", over || stale);
    const state = over ? "signed-out" : up ? "live" : stale ? "stale" : "polling";
    for (const el of document.querySelectorAll("[data-live-status]")) {
      el.hidden = !over && !topicsWanted().size && !logs.size;  // nothing here could be live
      if (el.dataset.state === state) continue;
      el.dataset.state = state;
      const words = { live: "Live", "signed-out": "Signed out" }[state] ?? "Not live";
      if (el.textContent !== words) el.textContent = words;
    }
    if (over) return;
    if (down > BANNER_MS && (regions().length || logs.size)) {
      const why = foreign ? "Gantry is set up for another address than this one (GANTRY_PUBLIC_URL)." : "reconnecting…";
      if (stale) banner(`Not live since ${clock(downSince)}: ${why} What is grey is of then.`);
      else banner(`Not live: ${why}${foreign ? ` The page is fetched anew each ${POLL_MS / 1000} s.` : ""}`);
    } else if (up) document.querySelector("#live-banner[data-down]")?.remove();
  }

  /* A moment of performance.now() in the page's time zone. */
  function clock(moment) {
    const ms = performance.timeOrigin + moment;
    return new Date(ms + Gantry.zoneOffset(ms)).toISOString().slice(11, 19);
  }

  function banner(words, action = "", href = "") {
    let el = document.getElementById("live-banner");
    if (el?.dataset.words === words) return;
    el?.remove();
    el = document.createElement("p");
    el.id = "live-banner";
    el.setAttribute("role", "status");
    el.dataset.words = words;
    el.toggleAttribute("data-down", !action);
    el.append(words);
    if (action) {
      const link = document.createElement("a");
      link.href = href;
      link.textContent = action;
      el.append(" ", link);
    }
    document.body.append(el);
  }

  function signedOut() {
    over = true;
    clearTimeout(retryTimer);
    show();
    banner("You are signed out; this page no longer changes.", "Sign in", `/login?next=${encodeURIComponent(location.pathname + location.search)}`);
  }

  document.addEventListener("htmx:configRequest", ({ detail }) => { if (detail.elt.matches("[data-live]")) detail.timeout = ANSWER_MS; });
  // A fetch that was sent on to another page (the login) is not this region, nor what a button does.
  document.addEventListener("htmx:beforeSwap", ({ detail }) => {
    const region = detail.elt?.matches?.("[data-live]") ? detail.elt : null;
    const asked = new URL(detail.pathInfo.requestPath, location.href).pathname;
    const got = detail.xhr.responseURL ? new URL(detail.xhr.responseURL).pathname : asked;
    if (asked !== got || detail.xhr.status === 401) { detail.shouldSwap = false; signedOut(); drop(); }
    else if (region && inUse(region)) { detail.shouldSwap = false; hold(region); }
  });
  // What the server fails at is said at its place (live-wrong.js), and asked later and later.
  for (const failed of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) {
    document.addEventListener(failed, ({ detail }) => {
      const region = detail.elt;
      if (!region?.matches?.("[data-live]") || (detail.xhr?.status && detail.xhr.status < 500)) return;
      failures.set(region, detail.xhr?.status ? (failures.get(region) ?? 0) + 1 : 1);
      refresh(region);
    });
  }
  document.addEventListener("htmx:afterSwap", ({ detail }) => {
    failures.delete(detail.elt);
    if (foreign) downSince = now(); // what comes without a socket is of now
  });
  document.addEventListener("htmx:afterSettle", subscribe);

  setInterval(() => {
    if (over) return;
    if (socket && now() - heardAt > SILENCE_MS) drop();
    release();
    show();
    if (!document.hidden && now() - fetchedAt > (up ? FLOOR_MS : POLL_MS)) refreshAll();
  }, 1000);
  document.addEventListener("visibilitychange", () => {
    if (document.hidden || over) return;
    if (!socket) { tries = 0; connect(); }
    resync();
    release();
  });
  addEventListener("storage", ({ key, newValue }) => { if (key === "signed-out" && newValue && !over) { signedOut(); drop(); } });
  addEventListener("offline", () => { if (socket) drop(); });
  addEventListener("online", () => { tries = 0; if (!socket) connect(); });
  addEventListener("pagehide", () => { const old = socket; socket = null; up = false; subscribed.clear(); clearTimeout(retryTimer); old?.close(); });
  addEventListener("pageshow", (event) => { if (event.persisted && !over) { downSince = now(); connect(); resync(); } });

  window.Gantry = Object.assign(window.Gantry ?? {}, {
    live: {
      send,
      /* Fetches this region soon; not sooner than it may be. */
      refresh,
      get up() { return up; },
      /* Signed out: nothing is asked any more. */
      get over() { return over; },
      /* `log` has reopen(), called at each (re)connect, and hear(message). */
      openLog(job, attempt, log) {
        logs.set(logKey(job, attempt), log);
        if (up) log.reopen(); else connect();
      },
      closeLog(job, attempt) {
        logs.delete(logKey(job, attempt));
        send({ op: "nolog", job, attempt });
      },
    },
  });
  subscribe();
})();
