/* Where in the whole log errors and matches are: a strip of marks beside the lines. */
import { counted, make } from "./log-parts.js";

const PLACES = 250;

export class LogMap {
  #shown = "";

  constructor(el, go) {
    Object.assign(this, { el, go });
    el.addEventListener("click", ({ target }) => { if (target.dataset.n) this.go(Number(target.dataset.n)); });
  }

  /* `errors` and `hits` are numbers of lines, of so many in `total`. */
  show(total, errors, hits) {
    const key = `${total} ${errors.size ?? errors.length} ${hits.length} ${hits[0]}`;
    if (key === this.#shown) return;
    this.#shown = key;
    const marks = [...this.#marks(total, hits, ""), ...this.#marks(total, errors, "e")];
    this.el.replaceChildren(...marks);
  }

  #marks(total, numbers, className) {
    const places = new Map(); // place: [first line, how many]
    for (const n of numbers) {
      const place = Math.floor(((n - 1) / Math.max(total, 1)) * PLACES);
      const there = places.get(place);
      if (there) there[1] += 1; else places.set(place, [n, 1]);
    }
    return [...places].map(([place, [n, count]]) => {
      const mark = make("i", className);
      mark.style.insetBlockStart = `${(place / PLACES) * 100}%`;
      mark.dataset.n = n;
      mark.title = `${className ? counted(count, "error") : counted(count, "match", "matches")} from line ${n}`;
      return mark;
    });
  }
}
