/* Following the end of a log: only while its last line is in view, and never against the reader. */
const END_PX = 24;

export class LogFollow {
  #settling = false;
  #over = false;
  #held = null; // what was put in view, until the reader moves: [line, block], or [] for the end

  constructor(box, changed) {
    this.box = box;
    this.changed = changed;
    this.on = true;
    this.top = 0;
    box.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    box.addEventListener("wheel", (event) => { if (event.deltaY < 0) this.pause(); }, { passive: true });
    document.addEventListener("selectionchange", () => {
      const selection = getSelection();
      if (!selection.isCollapsed && box.contains(selection.anchorNode)) this.pause();
    });
    for (const gesture of ["wheel", "touchmove", "pointerdown", "keydown"]) {
      box.addEventListener(gesture, () => { this.#held = null; }, { passive: true });
    }
    // As long as the page has the log out of view, its heights are guesses.
    new IntersectionObserver(() => this.#hold(), { threshold: [0, 0.25, 0.5, 0.75, 1] }).observe(box);
    new ResizeObserver(() => { if (this.on) this.toEnd(); }).observe(box);
  }

  begin(on) {
    this.on = on;
    this.#over = false;
    this.top = 0;
  }

  /* Nothing more will come: from now on the page moves only when somebody moves it. */
  end() {
    this.#over = true;
    this.pause();
  }

  get atEnd() { return this.box.scrollHeight - this.box.scrollTop - this.box.clientHeight < END_PX; }

  #scrolled() {
    const top = this.box.scrollTop;
    // Less content than was guessed also moves upward, and ends at the end.
    if (top < this.top - 1 && !this.atEnd) this.pause();
    else if (!this.on && this.atEnd && top > this.top) this.resume();
    this.top = top;
  }

  #hold(frames = 4) {
    requestAnimationFrame(() => {
      if (this.on || this.#held?.length === 0) this.toEnd();
      else if (this.#held) this.show(...this.#held);
      if (this.#held && frames > 1) this.#hold(frames - 1);
    });
  }

  toEnd(frames = 3) {
    const { box } = this;
    this.#held = [];
    box.scrollTop = box.scrollHeight;
    this.top = box.scrollTop;
    if (this.#settling) return;
    this.#settling = true; // chunks that come into view get their true height only now
    requestAnimationFrame(() => {
      this.#settling = false;
      const stays = this.on || (frames > 0 && this.#held?.length === 0);
      if (stays && box.scrollHeight - box.scrollTop - box.clientHeight > 1) this.toEnd(frames - 1);
    });
  }

  resume() {
    if (!this.#over) this.on = true;
    this.toEnd();
    this.changed();
  }

  pause() {
    if (!this.on) return;
    this.on = false;
    this.changed();
  }

  /* Makes a change, and keeps what the reader sees where it is (or the end in view). */
  keep(change) {
    if (this.on || this.atEnd) { change(); this.toEnd(); return; }
    const line = this.firstInView();
    const top = line?.getBoundingClientRect().top;
    change();
    if (line?.isConnected) this.shift(line.getBoundingClientRect().top - top);
  }

  /* Puts a line in the middle of the view, or at its upper edge; the page stays where it is. */
  show(line, block) {
    this.#held = [line, block];
    const box = this.box.getBoundingClientRect(), at = line.getBoundingClientRect();
    this.shift(block === "start" ? at.top - box.top - 8 : at.top - box.top - (box.height - at.height) / 2);
  }

  shift(by) {
    if (by) this.box.scrollTop += by;
    this.top = this.box.scrollTop;
  }

  /* The first line (or gap) that is in view, so many pixels below the upper edge. */
  firstInView(below = 1) {
    const edge = this.box.getBoundingClientRect().top + below, chunks = this.box.children;
    const isAbove = (el) => el.getBoundingClientRect().bottom <= edge;
    let low = 0, high = chunks.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (isAbove(chunks[middle])) low = middle + 1; else high = middle;
    }
    const chunk = chunks[low];
    if (!chunk?.classList.contains("lc")) return chunk ?? null;
    return [...chunk.children].find((line) => !isAbove(line)) ?? chunk;
  }
}
