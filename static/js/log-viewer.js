/* The log of an attempt: follows it live, keeps still when somebody reads.

   Binds to <section data-log data-job data-attempt> and to the hooks inside it (data-log-lines,
   -jump, -new, -status, -count, -toggle, -find, -matches, -download). Rows come over live.js's
   socket, from where this page stands (`seq`), so a reconnect neither loses nor doubles any. */
import { LinePainter, collapsed, plainText } from "./log-text.js";
import { LogSearch } from "./log-search.js";

const PER_CHUNK = 50, MOST_LINES = 50_000, LOAD_LINES = 2_000, KEPT = 1_200_000;
const STDERR = 1, STARTS = 2, ENDS = 4;
const POLL_AFTER_MS = 3_000, POLL_MS = 3_000, END_PX = 24;
const number = new Intl.NumberFormat("en");
const two = (n) => String(n).padStart(2, "0");

function remembered(key) {
  try { return localStorage.getItem(key); } catch { return null; }
}

function remember(key, value) {
  try { localStorage.setItem(key, value); } catch { /* this browser remembers nothing */ }
}

function clock(ms) {
  const at = new Date(ms);
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${String(at.getMilliseconds()).padStart(3, "0")}`;
}

function make(tag, className, ...children) {
  const el = document.createElement(tag);
  if (className) el.className = className;
  el.append(...children);
  return el;
}

class LogViewer {
  constructor(section) {
    this.section = section;
    this.job = Number(section.dataset.job);
    this.hook = (name) => section.querySelector(`[data-log-${name}]`);
    this.box = this.hook("lines") ?? section.appendChild(make("div", "log"));
    this.box.setAttribute("data-log-lines", "");
    this.search = new LogSearch(this);
    this.begin(Number(section.dataset.attempt));
    this.listen();
  }

  // Which attempt, from where.
  begin(attempt) {
    if (this.attempt) Gantry.live.closeLog(this.job, this.attempt);
    this.attempt = attempt;
    this.seq = Number(this.section.dataset.after ?? 0);
    this.lines = new Map();
    this.painter = new LinePainter();
    this.gaps = new Set();
    this.loading = null;
    this.ended = null;
    this.unseen = 0;
    this.downAt = performance.now();
    this.box.replaceChildren();
    this.lastTop = 0;
    this.following = !this.permalink();
    const download = this.hook("download");
    if (download) {
      download.href = download.href.replace(/attempt=\d*/, `attempt=${attempt}`);
      download.download = `job-${this.job}-${attempt}.log`;
    }
    if (attempt) Gantry.live.openLog(this.job, attempt, this);
    this.show();
  }

  reopen() {
    if (this.ended) return;
    this.loading = null;
    Gantry.live.send({ op: "log", job: this.job, attempt: this.attempt, after: this.seq });
  }

  hear(message) {
    switch (message.t) {
      case "log":
        if (message.after === this.seq) this.take(message);
        Gantry.live.send({ op: "ack", job: this.job, attempt: this.attempt, n: message.n });
        break;
      case "gap":
        if (message.after !== this.seq) break;
        this.seq = message.seq;
        this.addGap(message, null);
        this.painter = new LinePainter();
        break;
      case "range": this.loaded(message); break;
      case "end": this.end(message); break;
      case "logerror": setTimeout(() => this.reopen(), 2_000);
    }
    this.show();
  }

  take(message) {
    this.seq = message.seq;
    const before = this.lines.size;
    for (const row of message.rows) this.addRow(row, this.painter, null);
    if (!this.following) this.unseen += this.lines.size - before;
    this.dropFar();
    if (this.following) this.toEnd();
    this.seek();
    this.search.refresh();
  }

  end(message) {
    this.ended = message;
    Gantry.live.closeLog(this.job, this.attempt);
    if (message.complete === false) {
      this.box.append(make("div", "gap", `The log is not complete${message.note ? `: ${message.note}` : "."}`));
      if (this.following) this.toEnd();
    }
  }

  // Lines. `before` is the element in front of which a line of a loaded stretch goes.
  addRow([n, flags, at, text], painter, before) {
    let line = this.lines.get(n);
    if (!line) {
      if (!(flags & STARTS) && this.lines.size) return; // its beginning is not on this page
      line = this.newLine(n, flags, at, before);
    }
    const joined = collapsed(line.text + text);
    line.lost += Math.max(0, joined.length - KEPT);
    line.text = joined.length > KEPT ? joined.slice(0, KEPT) : joined;
    line.open = !(flags & ENDS);
    this.paint(line, painter);
  }

  newLine(n, flags, at, before) {
    const link = make("a", "", number.format(n));
    link.href = `#L${n}`;
    const span = make("span", "");
    const row = make("div", flags & STDERR ? "l err" : "l", link, make("time", "", clock(at)), span);
    row.id = `L${n}`;
    let chunk = before ? before.previousElementSibling : this.box.lastElementChild;
    if (!chunk?.classList.contains("lc") || chunk.childElementCount >= PER_CHUNK) {
      chunk = make("div", "lc");
      this.box.insertBefore(chunk, before);
    }
    chunk.append(row);
    const line = { n, row, span, seq: this.seq, text: "", lost: 0, open: true, began: null, whole: false };
    this.lines.set(n, line);
    if (this.chosen && n >= this.chosen[0] && n <= this.chosen[1]) row.classList.add("here");
    return line;
  }

  paint(line, painter) {
    if (line.whole) { line.span.textContent = plainText(line.text); return; }
    const { began, hidden } = painter.paint(line.span, line.text, line.began);
    line.began = line.open ? began : null;
    if (hidden <= 0) return;
    const more = make("button", "more", `show all (${number.format(line.text.length)} characters)`);
    more.type = "button";
    more.addEventListener("click", () => {
      line.whole = true;
      line.span.textContent = plainText(line.text);
      if (line.lost) line.span.append(" … ", make("span", "d", `${number.format(line.lost)} more characters: download the log`));
    });
    line.span.append(more);
  }

  dropFar() {
    while (this.lines.size > MOST_LINES) {
      const first = this.box.firstElementChild;
      const gap = first.gap;
      const chunk = gap ? first.nextElementSibling : first;
      if (!chunk?.classList.contains("lc")) return;
      const rows = [...chunk.children];
      const last = this.lines.get(Number(rows.at(-1).id.slice(1)));
      const start = gap ? gap.first_line : Number(rows[0].id.slice(1));
      rows.forEach((row) => this.lines.delete(Number(row.id.slice(1))));
      const height = chunk.offsetHeight;
      chunk.remove();
      const next = Number(this.box.querySelector(".l")?.id.slice(1) ?? last.n + 1);
      const earlier = { after: gap ? gap.after : 0, seq: last.seq, first_line: start, lines: next - start, why: "" };
      if (gap) this.changeGap(gap, earlier);
      else this.addGap(earlier, this.box.firstElementChild);
      if (!this.following) this.box.scrollTop -= height;
      this.lastTop = this.box.scrollTop;
    }
  }

  // Gaps: what the server left out (loadable), or what is lost for good (it says why).
  addGap({ after, seq, first_line, lines, why }, before) {
    const el = make("div", "gap");
    const gap = el.gap = { after, seq, first_line, lines, why, el };
    this.gaps.add(gap);
    this.box.insertBefore(el, before);
    this.changeGap(gap, {});
    return gap;
  }

  changeGap(gap, changes) {
    Object.assign(gap, changes);
    if (!gap.why && (gap.lines <= 0 || gap.seq <= gap.after)) {
      gap.el.remove();
      this.gaps.delete(gap);
      return;
    }
    const last = gap.first_line + gap.lines - 1;
    if (gap.why) {
      gap.el.replaceChildren(`Lines ${number.format(gap.first_line)} to ${number.format(Math.max(last, gap.first_line))} are missing: ${gap.why}`);
      return;
    }
    const count = Math.min(gap.lines, LOAD_LINES);
    const button = make("button", "", gap.lines > count ? `load ${number.format(count)} of them` : "load them");
    button.type = "button";
    button.addEventListener("click", () => this.load(gap, Math.max(gap.first_line, last + 1 - LOAD_LINES)));
    gap.el.replaceChildren(`${number.format(gap.lines)} lines are not shown here`, button);
  }

  load(gap, fromLine) {
    if (this.loading || !Gantry.live.up) return;
    this.following = false;
    this.loading = { gap, before: gap.el.nextElementSibling, painter: new LinePainter(), rest: null, known: new Set(this.lines.keys()) };
    this.ask(gap.after, gap.seq, fromLine);
  }

  ask(after, until, fromLine) {
    Gantry.live.send({ op: "range", job: this.job, attempt: this.attempt, after, until, from_line: fromLine, id: 1 });
  }

  loaded(message) {
    const { gap, before, painter, rest, known } = this.loading ?? {};
    if (!gap) return;
    this.loading.rest = rest ?? { seq: message.after, lines: message.first_line - gap.first_line };
    const top = before?.getBoundingClientRect().top ?? 0;
    for (const row of message.rows) if (!known.has(row[0])) this.addRow(row, painter, before);
    for (const lost of message.lost) this.box.insertBefore(make("div", "gap", `Missing: ${lost}`), before);
    if (before && !this.chosen) this.box.scrollTop += before.getBoundingClientRect().top - top;
    this.lastTop = this.box.scrollTop;
    const lastLine = message.rows.at(-1)?.[0] ?? 0;
    if (message.done || lastLine - gap.first_line - this.loading.rest.lines >= LOAD_LINES) {
      const left = this.loading.rest, end = gap.first_line + gap.lines, seq = gap.seq;
      this.loading = null;
      this.changeGap(gap, left);
      if (!message.done) this.addGap({ after: message.seq, seq, first_line: lastLine + 1, lines: end - lastLine - 1, why: "" }, before);
    } else this.ask(message.seq, gap.seq, 0);
    this.seek();
    this.search.refresh();
  }

  // Following: only while the last line is in view, and never against the reader.
  atEnd() { return this.box.scrollHeight - this.box.scrollTop - this.box.clientHeight < END_PX; }

  toEnd() {
    this.box.scrollTop = this.box.scrollHeight;
    this.lastTop = this.box.scrollTop;
    this.unseen = 0;
    if (this.settling) return;
    this.settling = true; // chunks that come into view get their true height only now
    requestAnimationFrame(() => {
      this.settling = false;
      if (this.following && this.box.scrollHeight - this.box.scrollTop - this.box.clientHeight > 1) this.toEnd();
    });
  }

  follow() {
    this.following = true;
    this.toEnd();
    this.show();
  }

  pause() {
    if (!this.following) return;
    this.following = false;
    this.show();
  }

  // #L12 or #L12-L20
  permalink() {
    const found = /^#L(\d+)(?:-L?(\d+))?$/.exec(location.hash);
    this.chosen = found && [Number(found[1]), Number(found[2] ?? found[1])].sort((a, b) => a - b);
    this.sought = this.chosen?.[0] ?? null;
    for (const line of this.lines.values()) {
      line.row.classList.toggle("here", Boolean(this.chosen && line.n >= this.chosen[0] && line.n <= this.chosen[1]));
    }
    if (this.chosen) { this.following = false; this.seek(); }
    return this.chosen;
  }

  seek() {
    if (!this.sought) return;
    const line = this.lines.get(this.sought);
    if (line) {
      this.sought = null;
      line.row.scrollIntoView({ block: "center" });
      this.lastTop = this.box.scrollTop;
      return;
    }
    for (const gap of this.gaps) {
      const inside = this.sought >= gap.first_line && this.sought < gap.first_line + gap.lines;
      if (inside && !gap.why) this.load(gap, Math.max(gap.first_line, this.sought - PER_CHUNK));
    }
  }

  choose(n, extend) {
    const from = extend && this.chosen ? this.chosen[0] : n;
    const [low, high] = [Math.min(from, n), Math.max(from, n)];
    history.replaceState(history.state, "", low === high ? `#L${low}` : `#L${low}-L${high}`);
    this.permalink();
    this.sought = null;
    navigator.clipboard?.writeText(location.href).catch(() => {});
    this.show();
  }

  listen() {
    this.box.addEventListener("scroll", () => {
      const top = this.box.scrollTop;
      // Less content than was guessed also moves upward, and ends at the end.
      if (top < this.lastTop - 1 && !this.atEnd()) this.pause();
      else if (!this.following && this.atEnd() && top > this.lastTop) this.follow();
      this.lastTop = top;
    }, { passive: true });
    this.box.addEventListener("wheel", (event) => { if (event.deltaY < 0) this.pause(); }, { passive: true });
    this.box.addEventListener("keydown", (event) => {
      if (["ArrowUp", "PageUp", "Home"].includes(event.key)) this.pause();
      if (event.key === "End") { event.preventDefault(); this.follow(); }
    });
    document.addEventListener("selectionchange", () => {
      const selection = getSelection();
      if (!selection.isCollapsed && this.box.contains(selection.anchorNode)) this.pause();
    });
    this.box.addEventListener("click", (event) => {
      const link = event.target.closest(".l > a");
      if (!link) return;
      event.preventDefault();
      this.choose(Number(link.parentElement.id.slice(1)), event.shiftKey);
    });
    this.hook("jump")?.addEventListener("click", () => this.follow());
    addEventListener("hashchange", () => { this.permalink(); this.show(); });
    for (const toggle of this.section.querySelectorAll("[data-log-toggle]")) {
      const key = `log.${toggle.dataset.logToggle}`;
      toggle.checked = remembered(key) === "true";
      toggle.addEventListener("change", () => {
        remember(key, toggle.checked);
        if (this.following) this.toEnd();
      });
    }
    document.addEventListener("htmx:afterSettle", () => this.newAttempt());
    setInterval(() => this.beat(), 1000);
    new ResizeObserver(() => { if (this.following) this.toEnd(); }).observe(this.box);
  }

  newAttempt() {
    if (this.section.dataset.followLatest !== "true") return;
    const latest = Number(document.querySelector("[data-latest-attempt]")?.dataset.latestAttempt ?? 0);
    if (latest > this.attempt) this.begin(latest);
  }

  // Without a socket the log is fetched; it says so.
  beat() {
    const now = performance.now();
    if (Gantry.live.up) { this.downAt = now; this.polledAt = 0; }
    else if (this.attempt && !this.ended && now - this.downAt > POLL_AFTER_MS && now - (this.polledAt ?? 0) > POLL_MS) {
      this.polledAt = now;
      this.poll();
    }
    this.show();
  }

  async poll() {
    const after = this.seq;
    try {
      const answer = await fetch(`/_/jobs/${this.job}/log/${this.attempt}?after=${after}`, { redirect: "error" });
      if (!answer.ok) return;
      const message = await answer.json();
      if (Gantry.live.up || this.seq !== after || message.seq === after) return;
      this.take(message);
      this.polledAt = 0;
    } catch { /* still away; the next beat tries again */ }
  }

  show() {
    const status = this.hook("status"), count = this.hook("count"), jump = this.hook("jump"), fresh = this.hook("new");
    const away = Math.round((performance.now() - this.downAt) / 1000);
    let words = this.following ? "Following" : "Paused";
    if (document.querySelector('#job-attempts[data-over][data-latest-attempt="0"]')) words = "No output: it never started";
    else if (!this.attempt) words = "No output yet";
    else if (this.ended) words = this.lines.size ? "Ended" : "Ended without output";
    else if (away >= 3) words = `Disconnected ${away} s ago, retrying`;
    else if (!this.lines.size) words = "No output yet";
    if (status && status.textContent !== words) status.textContent = words;
    const lines = this.ended?.lines ?? this.lastNumber();
    const counted = lines ? `${number.format(lines)} ${lines === 1 ? "line" : "lines"}` : "";
    if (count && count.textContent !== counted) count.textContent = counted;
    if (jump) jump.hidden = this.following || (this.ended && this.atEnd());
    if (fresh) fresh.textContent = this.unseen ? `${number.format(this.unseen)} new ${this.unseen === 1 ? "line" : "lines"}` : "Newest lines";
  }

  lastNumber() {
    const row = this.box.lastElementChild?.lastElementChild;
    return row?.classList.contains("l") ? Number(row.id.slice(1)) : this.lines.size;
  }
}

for (const section of document.querySelectorAll("[data-log]")) section.viewer = new LogViewer(section);
