/* A log without a socket: it is fetched, and known to be away when that fails too. */
const EVERY_MS = 3_000, AWAY_MS = 6_000;

export class LogPoll {
  /* `fetch()` gets what is new and tells whether there is more at once; `wanted()` says whether
     there can be something new. */
  constructor({ fetch, wanted }) {
    Object.assign(this, { fetch, wanted });
    this.begin();
  }

  begin() {
    this.heardAt = performance.now();
    this.askedAt = 0;
    this.failed = false;
  }

  /* Each second. */
  beat() {
    const now = performance.now();
    if (Gantry.live.up) this.begin();
    else if (this.wanted() && Math.min(now - this.heardAt, now - this.askedAt) > EVERY_MS) this.#ask();
  }

  /* For how many seconds nothing was heard of the log; 0 while all is well. */
  get away() {
    const ms = performance.now() - this.heardAt;
    return !Gantry.live.up && (this.failed || ms > AWAY_MS) ? Math.round(ms / 1000) : 0;
  }

  async #ask() {
    this.askedAt = performance.now();
    try {
      while (await this.fetch()) this.begin();
      this.begin();
    } catch { this.failed = true; } // a later beat tries again
  }
}
