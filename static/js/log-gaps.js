/* Gaps: lines that are stored but not on this page (they can be loaded), and lines that are
   lost for good (they say why). What is loaded comes over HTTP, batch by batch. */
import { Stretch } from "./log-lines.js";
import { button, counted, make, number } from "./log-parts.js";

const AT_ONCE = 2_000; // lines that one load brings

export class LogGaps {
  #all = new Set();
  #busy = null;

  /* `fetch(query)` gets a batch; `keep(change)` makes a change above without moving the
     reader; `loaded()` is told when lines have come. */
  constructor(lines, { fetch, keep, loaded }) {
    Object.assign(this, { lines, fetch, keep, loaded });
  }

  clear() {
    this.#all.clear();
    this.#busy = null;
  }

  get busy() { return this.#busy !== null; }

  get loadable() { return [...this.#all].filter((gap) => !gap.why); }

  holding(n) { return this.loadable.find((gap) => gap.first <= n && n <= gap.last); }

  /* Lines `first` to `last`, in front of an element or at the end. */
  add(first, last, before = null, why = "") {
    const el = make("div", "gap");
    const gap = el.gap = { first, last, why, el };
    this.#all.add(gap);
    this.lines.box.insertBefore(el, before);
    this.#tell(gap);
    return gap;
  }

  /* A chunk was taken off the page: the gap in its place, grown or new. */
  widen(first, last, previous, next) {
    const before = this.#at(previous), after = this.#at(next);
    if (before && after) {
      before.last = after.last;
      this.#remove(after);
    } else if (before) before.last = Math.max(before.last, last);
    else if (after) after.first = Math.min(after.first, first);
    else { this.add(first, last, next); return; }
    this.#tell(before ?? after);
  }

  /* Loads from a line of the gap on: so many lines, or to the gap's end. */
  async load(gap, from = Math.max(gap.first, gap.last + 1 - AT_ONCE)) {
    while (this.#busy) await this.#busy;
    if (!gap.el.isConnected) return;
    const work = this.#load(gap, from);
    this.#busy = work.catch(() => {}).finally(() => { this.#busy = null; });
    await work;
  }

  async #load(gap, from) {
    const { last, el } = gap;
    el.setAttribute("aria-busy", "true");
    const stretch = new Stretch(el.nextElementSibling, this.#groupBefore(from, el));
    let after = 0, newest = from - 1;
    try {
      for (;;) {
        const batch = await this.fetch({ from, after });
        if (!el.isConnected) return;
        after = batch.seq;
        this.keep(() => {
          for (const row of batch.rows) {
            if (row[0] < from || row[0] > last) continue;
            this.lines.add(row, stretch);
            newest = Math.max(newest, row[0]);
          }
          for (const lost of batch.lost) {
            if (lost.first_line > last) continue;
            const end = lost.first_line + lost.lines - 1;
            this.add(lost.first_line, end, stretch.before, lost.why);
            newest = Math.max(newest, end);
          }
          this.lines.tell();
        });
        const beyond = batch.rows.at(-1)?.[0] > last;
        if (batch.seq >= batch.last || beyond) { newest = last; break; }
        if (newest - from + 1 >= AT_ONCE && newest < last) break;
      }
      this.keep(() => {
        if (newest >= last) this.lines.join(stretch);
        else this.add(newest + 1, last, stretch.before);
        gap.last = from - 1;
        this.#tell(gap);
      });
    } finally {
      el.removeAttribute("aria-busy");
    }
    this.loaded();
  }

  #groupBefore(from, el) {
    if (from === 1) return null;
    const previous = el.previousElementSibling;
    return from === el.gap.first && previous?.classList.contains("lc") ? previous.group : undefined;
  }

  #at(el) { return el?.gap && !el.gap.why ? el.gap : null; }

  #remove(gap) {
    gap.el.remove();
    this.#all.delete(gap);
  }

  #tell(gap) {
    const { first, last, why, el } = gap;
    const count = last - first + 1;
    if (why) {
      const which = count > 1 ? `Lines ${number.format(first)} to ${number.format(last)} are missing` : `Line ${number.format(first)} is missing`;
      el.replaceChildren(`${which}: ${why}`);
    } else if (count < 1) this.#remove(gap);
    else {
      const some = Math.min(count, AT_ONCE);
      const words = count > some ? `load ${number.format(some)} of them` : count > 1 ? "load them" : "load it";
      el.replaceChildren(`${counted(count, "line")} ${count > 1 ? "are" : "is"} not shown here`, button(words, () => { this.load(gap).catch(() => {}); })); // it can be pressed again
      if (first === 1) el.append(button("go to the first", () => this.lines.box.dispatchEvent(new CustomEvent("first"))));
    }
  }
}
