/* Finding in the lines on the page: plain text, or /a pattern/. Enter and Shift+Enter walk. */
export class LogSearch {
  constructor(viewer) {
    this.viewer = viewer;
    this.field = viewer.hook("find");
    this.hits = [];
    this.at = -1;
    if (!this.field) return;
    this.field.addEventListener("input", () => this.start());
    this.field.addEventListener("keydown", (event) => {
      if (event.key === "Enter") { event.preventDefault(); this.go(event.shiftKey ? -1 : 1); }
      if (event.key === "Escape") { this.field.value = ""; this.start(); }
    });
  }

  start() {
    this.at = -1;
    this.matches = this.matcher();
    this.refresh();
  }

  matcher() {
    const text = this.field.value;
    if (!text) return null;
    const pattern = /^\/(.+)\/(i?)$/.exec(text);
    if (!pattern) return (line) => line.toLowerCase().includes(text.toLowerCase());
    try {
      const regex = new RegExp(pattern[1], pattern[2]);
      return (line) => regex.test(line);
    } catch {
      return undefined; // not a pattern (yet)
    }
  }

  refresh() {
    if (!this.field || (this.matches === null && !this.hits.length)) return;
    if (!this.field.value && !this.hits.length) return;
    const current = this.hits[this.at];
    this.hits = [];
    for (const row of this.viewer.box.querySelectorAll(".l")) {
      const hit = Boolean(this.matches?.(row.lastElementChild.textContent));
      row.classList.toggle("hit", hit);
      if (hit) this.hits.push(row);
      else row.classList.remove("on");
    }
    this.at = this.hits.indexOf(current);
    this.tell();
  }

  go(step) {
    if (!this.hits.length) return;
    this.hits[this.at]?.classList.remove("on");
    const from = this.at < 0 && step < 0 ? 0 : this.at;
    this.at = (from + step + this.hits.length) % this.hits.length;
    this.viewer.pause();
    this.hits[this.at].classList.add("on");
    this.hits[this.at].scrollIntoView({ block: "center" });
    this.tell();
  }

  tell() {
    const output = this.viewer.hook("matches");
    if (!output) return;
    const place = this.at < 0 ? "" : `${this.at + 1} of `;
    if (!this.field.value) output.textContent = "";
    else if (this.matches === undefined) output.textContent = "not a pattern";
    else output.textContent = `${place}${this.hits.length} ${this.hits.length === 1 ? "line" : "lines"}`;
  }
}
