/* The search box: how many lines of the whole log match, and the way from one to the next. */
import { LogAloud } from "./log-aloud.js";
import { LogFinder } from "./log-finder.js";
import { counted, number } from "./log-parts.js";

// What the server takes for an expression; it sees so much of each line (log_pattern.py).
const EXPRESSION = /^\/.+\/i?$/s;
const TYPING_MS = 200, GROWN_MS = 1_000;

export class LogSearch {
  #typing = 0;
  #growing = 0;
  #wanted = 0;
  #asked = false; // nobody was told the answer yet

  /* `place()` is the first line in view, `go(n)` shows a line, `changed(finder, n)` is told
     what is sought and which line is the present one. */
  constructor(hook, { ask, question, place, go, changed }) {
    Object.assign(this, { ask, question, place, go, changed });
    this.field = hook("find");
    this.output = hook("matches");
    this.aloud = new LogAloud(hook("told"));
    this.scope = hook("scope");
    this.finder = null;
    this.at = -1;
    this.field.addEventListener("input", () => {
      clearTimeout(this.#typing);
      this.#typing = setTimeout(() => this.begin(), this.field.value ? TYPING_MS : 0);
    });
    this.field.addEventListener("keydown", (event) => {
      if (event.key === "Enter") { event.preventDefault(); this.step(event.shiftKey ? -1 : 1); }
      if (event.key === "Escape" && this.field.value) { event.preventDefault(); this.clear(); }
    });
    hook("next").addEventListener("click", () => this.step(1));
    hook("previous").addEventListener("click", () => this.step(-1));
  }

  get active() { return Boolean(this.finder); }

  clear() {
    this.field.value = "";
    this.begin();
  }

  /* A new question, from the beginning. */
  begin() {
    clearTimeout(this.#typing);
    this.#typing = 0;
    this.finder?.stop();
    this.at = -1;
    this.#wanted = 0;
    const q = this.field.value;
    this.finder = q ? new LogFinder(this.ask, { q, ...this.question() }, () => this.#heard()) : null;
    this.changed(this.finder, 0);
    this.finder?.run();
    this.#asked = true;
    this.tell();
  }

  /* The log has grown: the count goes on. */
  grown() {
    if (!this.finder || this.#growing) return;
    this.#growing = setTimeout(() => {
      this.#growing = 0;
      this.finder?.run();
    }, GROWN_MS);
  }

  step(by) {
    if (this.#typing || !this.finder) this.begin();
    if (!this.finder) return;
    const { hits, done } = this.finder;
    let next = this.at + by;
    if (this.at < 0) next = this.finder.indexFrom(this.place()) - (by < 0 ? 1 : 0);
    if (!done && !hits[next]) { this.#wanted = by; return; } // it may still be found
    if (!hits.length) return;
    this.at = (next + hits.length) % hits.length;
    this.changed(this.finder, hits[this.at]);
    this.go(hits[this.at]);
    this.aloud.answer(this.tell());
  }

  #heard() {
    const { finder } = this, wanted = this.#wanted;
    this.changed(finder, finder.hits[this.at] ?? 0);
    if (wanted) { this.#wanted = 0; this.step(wanted); }
    const words = this.tell();
    if (!finder.done && !finder.problem) return;
    if (this.#asked) this.aloud.answer(words); else this.aloud.say(words);
    this.#asked = false;
  }

  /* Shows how far the search is; what it shows of the matches. */
  tell() {
    const { finder } = this;
    const problem = finder?.problem ?? "";
    this.field.setAttribute("aria-invalid", String(Boolean(problem)));
    let words = "", scope = "";
    if (problem) words = problem;
    else if (finder) {
      const found = finder.hits.length, { stream } = finder.question;
      if (this.at >= 0) words = `match ${number.format(this.at + 1)} of ${number.format(found)}`;
      else words = found || !finder.done ? counted(found, "match", "matches") : "no match";
      const which = stream ? `${stream} of ` : "";
      if (finder.done) scope = `searched ${which}all ${counted(finder.next - 1, "line")}`;
      else scope = `searched ${which}lines 1 to ${number.format(finder.next - 1)} so far`;
      if (EXPRESSION.test(finder.question.q ?? "")) scope += ", the first 4 KiB of each";
    }
    if (this.output.textContent !== words) this.output.textContent = words;
    if (this.scope.textContent !== scope) this.scope.textContent = scope;
    return words;
  }
}
