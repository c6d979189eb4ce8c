/* The way to what went wrong: the first line whose level is error or worse or with which a
   traceback begins, then the next; where there is none, the last line of standard error.

   A program that has ended is asked about its end: there the way begins at the first of the
   errors that stand together at last, not at one that it got over long before. */
import { LogFinder } from "./log-finder.js";
import { number } from "./log-parts.js";

const TOGETHER = 30; // lines between two errors of one failure

function lastFailure(hits) {
  let at = hits.length - 1;
  while (at > 0 && hits[at] - hits[at - 1] <= TOGETHER) at -= 1;
  return at;
}

export class LogErrors {
  #steps = Promise.resolve(); // one after the other, however fast the key is pressed

  /* `go(n)` shows a line, `land(n)` does so if nobody has moved; `ended()` tells whether the
     program has, `say(words)` tells that there is nothing. */
  constructor(hook, { ask, go, land, ended, say }) {
    Object.assign(this, { ask, go, land, ended, say });
    this.words = hook("error-words");
    this.finder = null;
    this.at = -1;
    hook("error").addEventListener("click", (event) => this.step(event.shiftKey ? -1 : 1));
  }

  clear() {
    this.finder?.stop();
    this.finder = null;
    this.at = -1;
    this.words.textContent = "Error";
  }

  /* A page that opens on a failure lands there. */
  async open() {
    const n = await this.#next(1);
    if (n) this.land(n);
  }

  step(by) {
    this.#steps = this.#steps.then(() => this.#step(by));
  }

  async #step(by) {
    const n = await this.#next(by);
    if (n) this.go(n);
    if (!this.finder?.hits.length) this.say(n ? "No line says error; this is the last one on stderr" : this.finder?.problem || "No line says error, and stderr is empty");
  }

  async #next(by) {
    const finder = this.finder ??= new LogFinder(this.ask, { errors: 1 });
    const fromEnd = this.at < 0 && this.ended();
    const wanted = this.at + by;
    if (!finder.done || !this.ended()) await finder.run(() => !fromEnd && wanted >= 0 && finder.hits.length > wanted);
    if (finder !== this.finder) return 0;
    const { hits, lastStderr, done } = finder;
    if (!hits.length) return lastStderr;
    this.at = fromEnd ? lastFailure(hits) : (wanted + hits.length) % hits.length;
    this.words.textContent = `Error ${number.format(this.at + 1)}${done ? ` of ${number.format(hits.length)}` : ""}`;
    return hits[this.at];
  }
}
