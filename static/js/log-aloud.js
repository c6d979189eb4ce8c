/* Words for who listens to the page: those that come by themselves at most each 5 s, and the
   newest of them never left out. */
const EVERY_MS = 5_000;

export class LogAloud {
  #again = 0;
  #timer = 0;
  #words = "";

  constructor(el) { this.el = el; }

  say(words) {
    this.#words = words;
    this.#timer ||= setTimeout(() => this.answer(this.#words), Math.max(0, this.#again - performance.now()));
  }

  /* What somebody has just asked for is said at once. */
  answer(words) {
    clearTimeout(this.#timer);
    this.#timer = 0;
    if (this.el.textContent === words) return;
    this.el.textContent = words;
    this.#again = performance.now() + EVERY_MS;
  }
}
