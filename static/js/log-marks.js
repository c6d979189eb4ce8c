/* What was found, marked in the lines near the view: by the browser's own highlights, which
   leave the lines as they are. */
const known = Boolean(window.CSS?.highlights);

/* The text between two places of an element; `more` buttons in it are not text. */
function rangeIn(span, from, to) {
  const walker = document.createTreeWalker(span, NodeFilter.SHOW_TEXT, (node) =>
    node.parentElement.closest("button") ? NodeFilter.FILTER_REJECT : NodeFilter.FILTER_ACCEPT);
  let at = 0, start = null;
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const end = at + node.data.length;
    if (!start && from < end) start = [node, from - at];
    if (start && to <= end) return new StaticRange({ startContainer: start[0], startOffset: start[1], endContainer: node, endOffset: to - at });
    at = end;
  }
  return null;
}

export class LogMarks {
  #near = new Set();
  #due = false;
  #finder = null;
  #current = 0;

  constructor() {
    this.watcher = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) {
        if (isIntersecting) this.#near.add(target); else this.#near.delete(target);
      }
      this.#later();
    });
  }

  watch(chunk) { this.watcher.observe(chunk); }

  unwatch(chunk) {
    this.watcher.unobserve(chunk);
    this.#near.delete(chunk);
  }

  /* The finder whose hits to mark (null: none), and the line of the present one. */
  show(finder, current = 0) {
    this.#finder = finder;
    this.#current = current;
    this.#later();
  }

  #later() {
    if (this.#due) return;
    this.#due = true;
    requestAnimationFrame(() => { this.#due = false; this.#paint(); });
  }

  #paint() {
    const all = [], present = [];
    for (const chunk of this.#near) {
      if (!chunk.isConnected) { this.#near.delete(chunk); continue; }
      for (const row of chunk.children) {
        const n = Number(row.dataset.n ?? row.id.slice(1));
        const places = this.#finder?.places.get(n);
        row.classList.toggle("on", Boolean(places) && n === this.#current);
        if (!known) row.classList.toggle("hit", Boolean(places));
        const span = row.children[2];
        for (let i = 0; places && i < places.length; i += 2) {
          const range = rangeIn(span, places[i], places[i + 1]);
          if (range) (n === this.#current ? present : all).push(range);
        }
      }
    }
    if (!known) return;
    CSS.highlights.set("log-hit", new Highlight(...all));
    CSS.highlights.set("log-on", new Highlight(...present));
  }
}
