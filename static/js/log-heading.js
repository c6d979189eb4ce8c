/* The name of the group that the reader is in, over the lines, when its head is out of view. */
export class LogHeading {
  #due = false;

  constructor(el, box, { inView, go }) {
    Object.assign(this, { el, box, inView });
    this.group = null;
    el.addEventListener("click", () => { if (this.group) go(this.group.first.n); });
    box.addEventListener("scroll", () => this.later(), { passive: true });
  }

  later() {
    if (this.#due) return;
    this.#due = true;
    requestAnimationFrame(() => { this.#due = false; this.#look(); });
  }

  #look() {
    const group = this.inView()?.closest(".lc")?.group;
    const head = group?.first?.row, { top } = this.box.getBoundingClientRect();
    const above = Boolean(head?.isConnected) && head.getBoundingClientRect().bottom < top + 4;
    this.group = above ? group : null;
    this.el.hidden = !above;
    if (!above) return;
    const words = group.first.span.lastElementChild.textContent;
    if (this.el.textContent !== words) this.el.textContent = words;
  }
}
