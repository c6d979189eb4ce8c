/* The lines on the page, in chunks that the browser lays out only when they come near. */
import { LogGroup, marker } from "./log-groups.js";
import { button, make, number } from "./log-parts.js";
import { LinePainter, collapsed, plainText } from "./log-text.js";

export const PER_CHUNK = 50, STDERR = 1, STARTS = 2, ENDS = 4;
const KEPT = 1_200_000; // characters of a line

/* Where lines are being put: in front of an element, or at the end. `group` is undefined as
   long as no line has told which group they are in, null when they are in none. */
export class Stretch {
  constructor(before = null, group = undefined) {
    this.before = before;
    this.group = group;
    this.painter = new LinePainter();
  }
}

/* How high so many lines are, before the browser has laid them out. */
export const guess = (lines) => `auto ${(lines * 1.6).toFixed(1)}em`;

export class LogLines {
  #touched = new Set();
  #grown = new Set();
  #chosen = null;

  /* `levels` says which lines are errors and warnings, `stamp` writes a line's time; `seen`
     and `gone` are told of chunks. `loading` is true while what was stored before comes. */
  constructor(box, { levels, stamp, seen, gone }) {
    Object.assign(this, { box, levels, stamp, seen, gone });
    this.map = new Map();
    this.bad = new Set(); // the numbers of those that tell of an error
    this.tail = new Stretch(null, null);
    this.loading = true;
  }

  get size() { return this.map.size; }

  /* The number of the last line that came. */
  newest = 0;

  clear() {
    this.map.clear();
    this.bad.clear();
    this.newest = 0;
    this.tail = new Stretch(null, null);
    this.#touched.clear();
    this.#grown.clear();
    this.loading = true;
    for (const chunk of this.box.getElementsByClassName("lc")) this.gone(chunk);
    this.box.replaceChildren();
  }

  /* A row as the server sends it: the line's number, flags, its time, text. */
  add([n, flags, at, text], stretch) {
    let line = this.map.get(n);
    let marked = null;
    if (!line) {
      if (!(flags & STARTS) && this.map.size) return; // its beginning is not on this page
      marked = flags & STARTS && flags & ENDS ? marker(text) : null;
      if (marked?.begins) this.#enter(new LogGroup(marked.mark), stretch);
      line = this.#begin(n, flags, at, stretch, marked);
    }
    const joined = collapsed(line.text + text);
    line.lost += Math.max(0, joined.length - KEPT);
    line.text = joined.length > KEPT ? joined.slice(0, KEPT) : joined;
    line.open = !(flags & ENDS);
    this.#paint(line, stretch.painter);
    if (marked) this.#mark(line, marked, stretch);
  }

  /* After some rows: what depends on all of them. */
  tell() {
    for (const group of this.#touched) group.tell();
    this.#touched.clear();
    for (const chunk of this.#grown) chunk.style.containIntrinsicBlockSize = guess(chunk.childElementCount);
    this.#grown.clear();
  }

  /* A stretch that was loaded ends here: what follows it may go on with its last group. */
  join(stretch) {
    const { group, before } = stretch;
    if (group === undefined) return;
    let taken = false, el = before;
    for (; el?.classList.contains("lc") && el.group === undefined; el = el.nextElementSibling) {
      el.group = group;
      if (!group) continue;
      if (!taken && !group.open) group.set(true); // what is in view stays so
      taken = true;
      group.own(el);
      group.last = this.map.get(Number(el.lastElementChild.id.slice(1))) ?? group.last;
    }
    group?.tell();
    if (!el && this.tail.group === undefined) this.tail.group = group;
  }

  /* Opens the group in which the line is. */
  uncover(line) {
    const { group } = line.row.parentElement;
    if (!group || group.first === line) return;
    group.kept = true;
    if (!group.open) group.set(true);
  }

  /* The lines of a permalink, [first, last], or null. */
  choose(chosen) {
    for (const row of this.box.querySelectorAll(".l.here")) row.classList.remove("here");
    this.#chosen = chosen;
    if (!chosen) return;
    for (const { n, row } of this.map.values()) if (n >= chosen[0] && n <= chosen[1]) row.classList.add("here");
  }

  restamp() {
    for (const line of this.map.values()) line.time.textContent = this.stamp(line.at);
  }

  /* Takes a chunk off the page; the numbers of its first and last line. */
  drop(chunk) {
    const numbers = [...chunk.children].map((row) => Number(row.id.slice(1)));
    for (const n of numbers) {
      this.map.delete(n);
      this.bad.delete(n);
    }
    const chunks = chunk.group?.chunks;
    if (chunks?.includes(chunk)) chunks.splice(chunks.indexOf(chunk), 1);
    this.gone(chunk);
    chunk.remove();
    return [numbers[0], numbers.at(-1)];
  }

  #enter(group, stretch) {
    stretch.group?.settle(this.loading || stretch.before !== null);
    stretch.group = group;
  }

  #begin(n, flags, at, stretch, marked) {
    const link = make("a", "", number.format(n));
    link.href = `#L${n}`;
    const time = make("time", "", this.stamp(at)), span = make("span", "");
    const row = make("div", flags & STDERR ? "l err" : "l", link, time, span);
    row.id = `L${n}`;
    this.#chunk(stretch, Boolean(marked?.begins)).append(row);
    const line = { n, at, row, time, span, text: "", lost: 0, open: true, began: null, whole: false, level: "" };
    this.map.set(n, line);
    if (stretch === this.tail) this.newest = n;
    if (this.#chosen && n >= this.#chosen[0] && n <= this.#chosen[1]) row.classList.add("here");
    if (stretch.group) {
      if (!marked?.begins && n > stretch.group.last.n) stretch.group.last = line;
      this.#touched.add(stretch.group);
    }
    return line;
  }

  #chunk({ before, group }, isHead) {
    const last = before ? before.previousElementSibling : this.box.lastElementChild;
    if (!isHead && last?.classList.contains("lc") && !last.isHead && last.group === group && last.childElementCount < PER_CHUNK) {
      this.#grown.add(last);
      return last;
    }
    const chunk = make("div", "lc");
    chunk.group = group;
    chunk.isHead = isHead;
    this.#grown.add(chunk);
    this.box.insertBefore(chunk, before);
    if (group && !isHead) group.own(chunk);
    this.seen(chunk);
    return chunk;
  }

  #mark(line, marked, stretch) {
    if (marked.begins) { stretch.group.head(line, marked.mark); return; }
    line.row.classList.add("mk");
    if (marked.keeps && stretch.group) stretch.group.kept = true;
    if (marked.ends) this.#enter(null, stretch);
  }

  #paint(line, painter) {
    if (line.whole) { line.span.textContent = plainText(line.text); return; }
    const { began, hidden } = painter.paint(line.span, line.text, line.began);
    line.began = line.open ? began : null;
    this.#grade(line);
    if (hidden > 0) line.span.append(button(`show all (${number.format(line.text.length)} characters)`, () => this.#whole(line), "more"));
  }

  #grade(line) {
    const level = this.levels(line.text);
    if (level === line.level) return;
    if (line.level) line.row.classList.remove(line.level);
    if (level) line.row.classList.add(level);
    if (level === "bad") this.bad.add(line.n); else this.bad.delete(line.n);
    const { group } = line.row.parentElement;
    if (group) {
      group.errors += (level === "bad") - (line.level === "bad");
      this.#touched.add(group);
    }
    line.level = level;
  }

  #whole(line) {
    line.whole = true;
    line.span.textContent = plainText(line.text);
    if (line.lost) line.span.append(" … ", make("span", "d", `${number.format(line.lost)} more characters: download the log`));
  }
}
