/* Only the lines that match, with three around each: laid over the log, which stays as it is. */
import { button, counted, make, number } from "./log-parts.js";
import { guess } from "./log-lines.js";
import { LinePainter } from "./log-text.js";

const STDERR = 1, AT_ONCE = 300, MOST = 10_000;

export class LogExcerpt {
  #turn = 0;
  #loading = null;

  /* `ask(query)` fetches an answer, `open(n)` leaves the excerpt for a line of the log. */
  constructor(box, { ask, open, levels, stamp, seen }) {
    Object.assign(this, { box, ask, open, levels, stamp, seen });
    this.finder = null;
    box.addEventListener("scroll", () => {
      if (box.scrollHeight - box.scrollTop - box.clientHeight < 400) this.more();
    }, { passive: true });
    box.addEventListener("click", (event) => {
      const link = event.target.closest(".l > a");
      if (!link) return;
      event.preventDefault();
      this.open(Number(link.parentElement.dataset.n));
    });
  }

  /* `finder` is what is sought; null closes the excerpt. */
  show(finder) {
    this.box.hidden = !finder;
    if (finder === this.finder) { if (finder && this.done) this.#grow(); return; }
    this.finder = finder;
    this.#turn += 1;
    this.#loading = null;
    this.box.replaceChildren();
    Object.assign(this, { next: 1, last: 0, rows: 0, done: false, chunk: null });
    if (finder) this.more();
  }

  #grow() {
    if (this.finder.hits.at(-1) >= this.next) { this.done = false; this.more(); }
  }

  more() {
    if (!this.finder || this.done || this.rows > MOST) return Promise.resolve();
    this.#loading ??= this.#load(this.#turn).catch(() => { this.#stuck(); }).finally(() => { this.#loading = null; });
    return this.#loading;
  }

  async #load(turn) {
    const until = this.rows + AT_ONCE;
    while (!this.done && this.rows < until) {
      const answer = await this.ask({ ...this.finder.question, context: 1, from: this.next });
      if (turn !== this.#turn) return;
      if (answer.problem) { this.done = true; return; }
      answer.rows.forEach((row) => this.#add(row));
      this.next = answer.next;
      this.done = answer.done;
    }
    if (this.rows > MOST) this.box.append(make("p", "gap", `The first ${number.format(this.rows)} lines. Look for something rarer, or see all matches in the log.`));
    else if (this.done && !this.rows) this.box.append(make("p", "gap", "No line matches."));
  }

  #stuck() {
    const row = make("p", "gap", "The server does not answer. ", button("try again", () => { row.remove(); this.more(); }));
    this.box.append(row);
  }

  #add([n, flags, at, text]) {
    if (n <= this.last) return;
    const first = this.last + 1, cut = n - first;
    if (cut > 0) this.box.append(button(`${counted(cut, "line")} ${first > 1 ? "between" : "before"}`, () => this.open(first), "cut"));
    if (cut > 0 || !this.chunk) {
      this.chunk = make("div", "lc");
      this.box.append(this.chunk);
      this.seen(this.chunk);
    }
    const link = make("a", "", number.format(n)), span = make("span", "");
    link.href = `#L${n}`;
    link.title = "Show it in the log";
    new LinePainter().paint(span, text);
    const row = make("div", flags & STDERR ? "l err" : "l", link, make("time", "", this.stamp(at)), span);
    row.dataset.n = n;
    const level = this.levels(text);
    if (level) row.classList.add(level);
    this.chunk.append(row);
    this.chunk.style.containIntrinsicBlockSize = guess(this.chunk.childElementCount);
    this.last = n;
    this.rows += 1;
  }

  async reveal(n) {
    const row = () => this.box.querySelector(`[data-n="${n}"]`);
    for (let rows = -1; !row() && this.rows !== rows;) { rows = this.rows; await this.more(); }
    row()?.scrollIntoView({ block: "center" });
  }
}
