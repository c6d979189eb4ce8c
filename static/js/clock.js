/* Keeps every <time data-age data-sense> going without traffic. The age is the server's, so
   a wrong clock in this browser shows no wrong time; a morphed-in age starts anew. */
(() => {
  const begun = new WeakMap();

  function words(seconds) {
    const s = Math.max(0, seconds);
    if (s < 9.95) return `${s.toFixed(1)} s`;
    const whole = Math.round(s);
    if (whole < 60) return `${whole} s`;
    const pair = (large, largeUnit, small, smallUnit) => {
      const rest = Math.floor((whole % large) / small);
      return `${Math.floor(whole / large)} ${largeUnit}${rest ? ` ${rest} ${smallUnit}` : ""}`;
    };
    if (whole < 3600) return pair(60, "min", 1, "s");
    if (whole < 86400) return pair(3600, "h", 60, "min");
    return pair(86400, "d", 3600, "h");
  }

  function oneUnit(seconds) {
    const whole = Math.round(Math.max(0, seconds));
    for (const [size, unit] of [[86400, "d"], [3600, "h"], [60, "min"]]) {
      if (whole >= size) return `${Math.floor(whole / size)} ${unit}`;
    }
    return `${whole} s`;
  }

  const text = {
    age: oneUnit,
    ago: (age) => `${oneUnit(age)} ago`,
    // While it runs, tenths would only flicker.
    since: (age) => words(age).replace(/\.\d s$/, " s"),
    until: (age) => (age < 0 ? `in ${words(-age).replace(/\.\d s$/, " s")}` : "now"),
  };

  function tick() {
    const now = performance.now();
    for (const el of document.querySelectorAll("time[data-age]")) {
      let start = begun.get(el);
      if (!start || start.age !== el.dataset.age) {
        start = { age: el.dataset.age, at: now };
        begun.set(el, start);
      }
      const age = Number(start.age) + (now - start.at) / 1000;
      const shown = text[el.dataset.sense](age);
      if (el.textContent !== shown) el.textContent = shown;
    }
  }

  // How many ms the page's time zone (prefs.js) is ahead of UTC at that moment; a zone changes
  // at full quarters of an hour only, so that one answer serves all moments in it.
  const QUARTER_MS = 900_000;
  const offsets = new Map();
  let parts = null;
  function zoneOffset(ms) {
    const quarter = Math.floor(ms / QUARTER_MS);
    let offset = offsets.get(quarter);
    if (offset === undefined) {
      parts ??= new Intl.DateTimeFormat("en-GB", {
        timeZone: document.documentElement.dataset.zone, hourCycle: "h23",
        year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric",
      });
      const at = Object.fromEntries(parts.formatToParts(quarter * QUARTER_MS).map(({ type, value }) => [type, Number(value)]));
      offset = Date.UTC(at.year, at.month - 1, at.day, at.hour, at.minute, at.second) - quarter * QUARTER_MS;
      offsets.set(quarter, offset);
    }
    return offset;
  }

  window.Gantry = Object.assign(window.Gantry ?? {}, { duration: words, zoneOffset });
  setInterval(() => { if (!document.hidden) tick(); }, 1000);
  addEventListener("visibilitychange", () => { if (!document.hidden) tick(); });
})();
