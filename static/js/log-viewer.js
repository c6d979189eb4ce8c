/* The log of an attempt: follows it live, keeps still when somebody reads.

   Binds to <section data-log data-job data-attempt> and to the hooks inside it (data-log-…).
   Rows come over live.js's socket from where this page stands (`seq`), so a reconnect neither
   loses nor doubles any. The parts beside this file each do one thing; this one joins them. */
import { copyLines } from "./log-copy.js";
import { LogErrors } from "./log-errors.js";
import { LogExcerpt } from "./log-excerpt.js";
import { LogFollow } from "./log-follow.js";
import { LogGaps } from "./log-gaps.js";
import { LogHeading } from "./log-heading.js";
import { levelsOf } from "./log-levels.js";
import { LogLines, PER_CHUNK, Stretch } from "./log-lines.js";
import { LogMap } from "./log-map.js";
import { LogMarks } from "./log-marks.js";
import { answered, counted, make, number } from "./log-parts.js";
import { LogPoll } from "./log-poll.js";
import { LogPrefs } from "./log-prefs.js";
import { LogSearch } from "./log-search.js";
import { stamp } from "./log-time.js";

const MOST_LINES = matchMedia("(pointer: coarse)").matches ? 20_000 : 50_000;
const AWAY = "Disconnected, retrying";
const NOTHING_YET = { hits: [], rows: [], stderr: 0, next: 1, done: true };
const SAID_MS = 6_000;

class LogViewer {
  #turn = 0;

  constructor(section) {
    this.section = section;
    this.job = Number(section.dataset.job);
    this.hook = (name) => section.querySelector(`[data-log-${name}]`);
    this.box = this.hook("lines");
    this.prefs = new LogPrefs(section, (name, change) => this.prefer(name, change));
    const levels = levelsOf(section.dataset);
    const stamped = (at) => stamp(at, this.prefs.get("time"), this.start(at));
    this.marks = new LogMarks();
    const seen = (chunk) => this.marks.watch(chunk);
    this.without = new LogPoll({
      fetch: () => this.poll(),
      wanted: () => Boolean(this.attempt) && !this.ended && !Gantry.live.over,
    });
    this.lines = new LogLines(this.box, { levels, stamp: stamped, seen, gone: (chunk) => this.marks.unwatch(chunk) });
    this.follow = new LogFollow(this.box, () => this.show());
    this.gaps = new LogGaps(this.lines, {
      fetch: (query) => this.fetch("", query),
      keep: (change) => this.follow.keep(change),
      loaded: () => this.loaded(),
    });
    const ask = (query, signal) => (this.attempt ? this.fetch("/search", query, signal) : NOTHING_YET);
    const go = (n) => this.reveal(n);
    this.excerpt = new LogExcerpt(this.hook("excerpt"), {
      ask, levels, stamp: stamped, seen, open: (n) => { this.only(false); this.reveal(n); },
    });
    this.search = new LogSearch(this.hook, {
      ask,
      question: () => ({ case: this.prefs.is("case") ? 1 : 0, stream: this.stream }),
      place: () => Number(this.follow.firstInView()?.id.slice(1)) || 1,
      go: (n) => (this.onlyMatches ? this.excerpt.reveal(n) : this.reveal(n)),
      changed: (finder, n) => {
        this.marks.show(finder, n);
        this.lay(finder);
      },
    });
    this.errors = new LogErrors(this.hook, {
      ask, go,
      ended: () => Boolean(this.ended),
      land: (n) => { if (this.follow.atEnd) this.reveal(n, { page: false }); },
      say: (words) => this.say(words),
    });
    this.heading = new LogHeading(this.hook("heading"), this.box, { inView: () => this.follow.firstInView(34), go });
    this.map = new LogMap(this.hook("map"), go);
    copyLines(this.box);
    this.begin(Number(section.dataset.attempt));
    this.listen();
  }

  get stream() {
    const streams = this.prefs.get("streams");
    return streams === "both" ? "" : streams;
  }

  get onlyMatches() { return this.hook("only").checked; }

  /* When the program started; where that is not known, when it first wrote. */
  start(at) {
    const told = Math.round(Number(this.section.dataset.start) * 1000);
    return told || (this.firstAt ??= this.lines.map.get(1)?.at ?? at);
  }

  // Which attempt, from where.
  begin(attempt) {
    if (this.attempt) Gantry.live.closeLog(this.job, this.attempt);
    this.attempt = attempt;
    this.seq = 0;
    this.firstAt = null;
    this.ended = null;
    this.denied = false;
    this.unseen = 0;
    this.without.begin();
    this.lines.clear();
    this.gaps.clear();
    this.errors.clear();
    this.follow.begin(!this.permalink());
    this.offer();
    this.search.begin();
    if (attempt) Gantry.live.openLog(this.job, attempt, this);
    this.show();
  }

  reopen() {
    if (!this.ended) Gantry.live.send({ op: "log", job: this.job, attempt: this.attempt, after: this.seq });
  }

  hear(message) {
    this.denied = message.t === "denied";
    switch (message.t) {
      case "log":
        if (message.after === this.seq) this.take(message);
        Gantry.live.send({ op: "ack", job: this.job, attempt: this.attempt, n: message.n });
        break;
      case "gap":
        if (message.after !== this.seq) break;
        this.seq = message.seq;
        this.gaps.add(message.first_line, message.first_line + message.lines - 1, null, message.why);
        this.lines.tail = new Stretch();
        break;
      case "end": this.end(message); break;
      case "logerror": setTimeout(() => this.reopen(), 2_000);
    }
    this.show();
  }

  take(message) {
    this.seq = message.seq;
    const before = this.lines.size;
    for (const row of message.rows) this.lines.add(row, this.lines.tail);
    for (const { first_line: first, lines, why } of message.lost ?? []) this.gaps.add(first, first + lines - 1, null, why);
    this.lines.tell();
    this.unseen = this.follow.on ? 0 : this.unseen + this.lines.size - before;
    if (this.follow.on) this.follow.toEnd();
    if (message.seq >= message.last) this.caughtUp();
    this.loaded();
    this.search.grown();
  }

  loaded() {
    this.trim();
    if (this.sought && this.lines.map.has(this.sought)) this.reveal(this.sought);
    this.marks.show(this.search.finder, this.search.finder?.hits[this.search.at] ?? 0);
    this.heading.later();
  }

  /* What was stored before is here: from now on it is live. The rest of a log that fits on
     the page is fetched while nothing else is to do. */
  caughtUp() {
    if (!this.lines.loading) return;
    this.lines.loading = false;
    if (this.sought) this.reveal(this.sought);
    this.fill();
  }

  async fill() {
    const { attempt } = this;
    for (;;) {
      await new Promise((resolve) => { (window.requestIdleCallback ?? setTimeout)(resolve); });
      const [gap] = this.gaps.loadable.reverse();
      if (!gap || attempt !== this.attempt || this.lines.size + gap.last - gap.first >= MOST_LINES) return;
      try { await this.gaps.load(gap); } catch { return; } // the gap stays, to be loaded by hand
    }
  }

  end(message) {
    const wasStored = this.section.dataset.outcome && this.follow.on;
    this.caughtUp();
    this.ended = message;
    Gantry.live.closeLog(this.job, this.attempt);
    const how = message.exit_code === null ? "The attempt ended here." : `The program ended here with exit code ${message.exit_code}.`;
    const whole = message.complete === false ? `The log is not complete${message.note ? `: ${message.note}` : "."}` : "The log is complete.";
    if (message.state !== "deleted" && (this.lines.size || message.complete === false)) this.box.append(make("p", "gap end", `${how} ${whole}`));
    if (this.follow.on) this.follow.toEnd();
    this.follow.end();
    if (wasStored && message.outcome === "failed" && this.lines.size) this.errors.open();
    this.search.grown();
  }

  /* Beyond the most that a page holds, the chunk farthest from the reader goes. */
  trim() {
    if (this.lines.size <= MOST_LINES || this.gaps.busy) return;
    this.follow.keep(() => {
      const nearEnd = this.follow.on || this.box.scrollTop > this.box.scrollHeight / 2;
      while (this.lines.size > MOST_LINES) {
        const chunks = this.box.getElementsByClassName("lc");
        const chunk = nearEnd ? chunks[0] : chunks[chunks.length - 2];
        if (!chunk) return;
        const { previousElementSibling, nextElementSibling } = chunk;
        const [first, last] = this.lines.drop(chunk);
        this.gaps.widen(first, last, previousElementSibling, nextElementSibling);
      }
    });
  }

  /* Shows a line, wherever it is: opens its group, loads what is missing around it. */
  async reveal(n, { block = "center", page = true } = {}) {
    const turn = ++this.#turn;
    this.follow.pause();
    this.sought = n;
    let line = this.lines.map.get(n);
    const gap = line ? null : this.gaps.holding(n);
    if (gap) {
      try { await this.gaps.load(gap, Math.max(gap.first, n - PER_CHUNK)); } catch { return; }
      if (turn !== this.#turn) return;
      line = this.lines.map.get(n);
    }
    if (!line) return; // it may still come
    this.sought = null;
    this.lines.uncover(line);
    this.box.querySelector(".l.now")?.classList.remove("now");
    line.row.classList.toggle("now", block === "center");
    if (page) this.section.scrollIntoView({ block: "nearest" });
    for (let frame = 0; frame < 3; frame++) { // what comes into view gets its true height only then
      this.follow.show(line.row, block);
      await new Promise(requestAnimationFrame);
      if (turn !== this.#turn) return;
    }
    this.show();
  }

  // #L12 or #L12-L20
  permalink() {
    const found = /^#L(\d+)(?:-L?(\d+))?$/.exec(location.hash);
    this.chosen = found && [Number(found[1]), Number(found[2] ?? found[1])].sort((a, b) => a - b);
    this.lines.choose(this.chosen);
    if (this.chosen) this.reveal(this.chosen[0]);
    return this.chosen;
  }

  choose(n, extend) {
    const from = extend && this.chosen ? this.chosen[0] : n;
    this.chosen = [Math.min(from, n), Math.max(from, n)];
    const [low, high] = this.chosen;
    history.replaceState(history.state, "", low === high ? `#L${low}` : `#L${low}-L${high}`);
    this.lines.choose(this.chosen);
    this.follow.pause();
    navigator.clipboard?.writeText(location.href).then(() => this.say("The link is copied"), () => {});
  }

  only(on) {
    this.hook("only").checked = on;
    this.lay(this.search.finder);
  }

  /* Lays the excerpt over the log, if only matches are wanted and something is sought. */
  lay(finder) {
    const over = this.onlyMatches && finder;
    this.box.inert = Boolean(over);
    this.section.toggleAttribute("data-excerpt", Boolean(over));
    this.excerpt.show(over ? finder : null);
  }

  prefer(name, change) {
    this.follow.keep(() => {
      change();
      if (name === "time") this.lines.restamp();
    });
    if (name === "case" || name === "streams") this.search.begin();
    this.heading.later();
  }

  listen() {
    this.box.addEventListener("click", (event) => {
      const row = event.target.closest(".l");
      if (event.target.closest(".l > a")) {
        event.preventDefault();
        this.choose(Number(row.id.slice(1)), event.shiftKey);
      } else if (row?.group && getSelection().isCollapsed && !event.target.closest("time")) {
        this.follow.pause();
        row.group.set(!row.group.open);
        this.heading.later();
      }
    });
    this.box.addEventListener("beforematch", (event) => { event.target.group?.set(true); });
    this.box.addEventListener("first", () => this.reveal(1, { block: "start" }));
    this.box.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (["ArrowUp", "PageUp"].includes(event.key)) this.follow.pause();
      if (event.key === "Home") { event.preventDefault(); this.reveal(1, { block: "start" }); }
      if (event.key === "End") { event.preventDefault(); this.follow.resume(); }
    });
    document.addEventListener("keydown", (event) => this.key(event));
    Gantry.keys.tell("In the log", [
      ["n ⇧N", "next, previous match"], ["⇧E", "previous error"], ["Home End", "first line; end, and follow"], ["f", "full screen"], ["Esc", "leave it"],
    ]);
    this.hook("jump").addEventListener("click", () => this.follow.resume());
    this.hook("only").addEventListener("change", (event) => this.only(event.target.checked));
    this.hook("full").addEventListener("click", () => this.prefs.set("full", this.prefs.is("full") ? "off" : "on"));
    this.hook("curl").addEventListener("click", ({ currentTarget }) => {
      currentTarget.closest("[popover]")?.hidePopover();
      this.say("The command is copied; set GANTRY_TOKEN to a token of yours");
    });
    addEventListener("hashchange", () => { this.permalink(); this.show(); });
    document.addEventListener("htmx:afterSettle", () => this.newAttempt());
    setInterval(() => { this.without.beat(); this.show(); }, 1000);
  }

  /* Keys that work wherever nobody types; those of the toolbar are page.js's. */
  key(event) {
    if (event.key === "Escape" && this.prefs.is("full") && !this.section.querySelector(":popover-open")) {
      if (!event.defaultPrevented && !document.querySelector("dialog[open]")) this.prefs.set("full", "off");
      return;
    }
    if (!Gantry.keys.heard(event)) return;
    if (event.key.toLowerCase() === "n" && this.search.active) this.search.step(event.shiftKey ? -1 : 1);
    else if (event.key.toLowerCase() === "n" && event.target.closest?.(".log")) this.say("Nothing is searched for yet: press /");
    else if (event.key === "E") this.errors.step(-1);
    else if (event.key === "End" && !this.hook("jump").hidden) this.follow.resume();
    else if (event.key === "f") this.prefs.set("full", this.prefs.is("full") ? "off" : "on");
    else return;
    event.preventDefault();
  }

  newAttempt() {
    if (this.section.dataset.followLatest !== "true") return;
    const latest = Number(document.querySelector("[data-latest-attempt]")?.dataset.latestAttempt ?? 0);
    if (latest <= this.attempt) return;
    delete this.section.dataset.outcome;
    delete this.section.dataset.start;
    this.begin(latest);
  }

  /* The ways to take the log away name the attempt that is shown. */
  offer() {
    for (const link of this.section.querySelectorAll("[data-log-download]")) {
      link.hidden = !this.attempt; // before the first there is none to take
      link.href = link.href.replace(/attempt=\d+/, `attempt=${this.attempt || 1}`);
      if (link.download) link.download = link.download.replace(/-\d+\.log/, `-${this.attempt || 1}.log`);
    }
    const curl = this.hook("curl"), raw = this.hook("download");
    curl.dataset.copy = `curl -fsS -H "Authorization: Bearer $GANTRY_TOKEN" '${raw.href}'`;
  }

  /* What is new, without a socket; true where there is more at once. */
  async poll() {
    const { attempt, seq: after } = this;
    const message = await this.fetch("", { after });
    if (Gantry.live.up || this.attempt !== attempt || this.seq !== after) return false;
    if (message.seq > after) this.take(message);
    if (message.end) this.end(message.end);
    return message.seq < message.last;
  }

  async fetch(what, query, signal) {
    const address = `/_/jobs/${this.job}/log/${this.attempt}${what}?${new URLSearchParams(query)}`;
    const answer = await fetch(address, { redirect: "error", signal: answered(signal) });
    this.denied = answer.status === 403 || answer.status === 404;
    if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
    return answer.json();
  }

  say(words) {
    this.said = { words, until: performance.now() + SAID_MS };
    this.show();
  }

  show() {
    const status = this.hook("status"), count = this.hook("count"), jump = this.hook("jump");
    const lines = Math.max(this.ended?.lines ?? 0, this.lines.newest);
    const width = number.format(lines).length;
    if (width !== this.width) this.section.style.setProperty("--digits", this.width = width);
    if (this.follow.on) this.unseen = 0;
    const words = this.words(); // what counts on is said once
    set(status, words);
    set(this.hook("away"), words === AWAY ? `, nothing heard for ${this.without.away} s` : "");
    set(count, lines ? counted(lines, "line") : "");
    jump.hidden = this.follow.on || !this.lines.size || Boolean(this.ended && this.follow.atEnd);
    const found = this.errors.finder?.done ? this.errors.finder.hits : this.lines.bad;
    this.map.show(lines, found, this.search.finder?.hits ?? []);
    set(this.hook("new"), this.unseen ? `${counted(this.unseen, "new line")} — jump to end` : "Jump to end");
  }

  words() {
    if (this.said?.until > performance.now()) return this.said.words;
    if (document.querySelector('#job-attempts[data-over][data-latest-attempt="0"]')) return "No output: it never started";
    if (!this.attempt) return "No output yet";
    if (this.ended) return this.lines.size ? "Ended" : "Ended without output";
    if (Gantry.live.over) return "Signed out: this log no longer grows";
    if (this.denied) return "You may no longer read this log";
    if (this.without.away) return AWAY;
    if (!this.lines.size) return "No output yet";
    return this.follow.on ? "Following" : "Paused";
  }
}

function set(el, words) { if (el.textContent !== words) el.textContent = words; }

for (const section of document.querySelectorAll("[data-log]")) section.viewer = new LogViewer(section);
