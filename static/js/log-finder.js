/* All lines of the stored log that answer a question, asked for stretch by stretch.

   The server looks through everything it has, so the count is exact once `done`; it goes on
   from there when the log has grown. */
export class LogFinder {
  #abort = new AbortController();
  #running = null;

  /* `ask(query, signal)` fetches an answer; `heard()` is told after each. */
  constructor(ask, question, heard = () => {}) {
    Object.assign(this, { ask, question, heard });
    this.hits = [];
    this.places = new Map();
    this.next = 1;
    this.done = false;
    this.problem = "";
    this.lastStderr = 0;
  }

  /* Looks on until all is known, or until `enough()`. */
  run(enough = () => false) {
    this.#running ??= this.#run(enough).finally(() => { this.#running = null; });
    return this.#running;
  }

  stop() { this.#abort.abort(); }

  async #run(enough) {
    const { signal } = this.#abort;
    this.problem = "";
    try {
      do {
        const answer = await this.ask({ ...this.question, from: this.next }, signal);
        if (signal.aborted) return;
        this.#take(answer);
        this.heard();
      } while (!this.done && !this.problem && !enough());
    } catch (error) {
      if (signal.aborted) return;
      this.problem = "the server does not answer; it is asked again when you search again";
      this.heard();
    }
  }

  #take(answer) {
    if (answer.problem) { this.problem = answer.problem; return; }
    // A line that was unfinished is answered for again.
    while (this.hits.at(-1) >= this.next) this.places.delete(this.hits.pop());
    for (const [n, ...places] of answer.hits) {
      this.hits.push(n);
      this.places.set(n, places);
    }
    this.lastStderr = Math.max(this.lastStderr, answer.stderr);
    this.next = answer.next;
    this.done = answer.done;
  }

  /* Index of the first hit at or after a line. */
  indexFrom(n) {
    let low = 0, high = this.hits.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.hits[middle] < n) low = middle + 1; else high = middle;
    }
    return low;
  }
}
