/* Groups: lines between a marker and the next one fold under its name.

   Markers are `::group::name` with `::endgroup::`, and `--- name`, `+++ name` (kept open) and
   `~~~ name` (of little interest); `^^^ +++` keeps the present one open. A group is folded
   once, while what was already stored is being loaded, if it is over and nothing in it went
   wrong; from then on only the reader folds and unfolds. */
import { button, counted, make, number } from "./log-parts.js";
import { plainText } from "./log-text.js";
import { lasting } from "./log-time.js";

const HEAD = /^(::group::|(?:---|\+\+\+|~~~) +)(?=\S)/;
// What diff and `go test` print looks alike, and is none.
const NO_HEAD = /^--- (?:PASS|FAIL|SKIP|BENCH): |^(?:---|\+\+\+) +(?:[ab]\/|\/dev\/null|\S+\t)/;
const MARKS = new Set([":", "-", "+", "~", "^", "\x1b"]);

/* What a whole line marks: {mark, begins} for a head, {ends} or {keeps}; null for most lines. */
export function marker(text) {
  if (!MARKS.has(text[0])) return null;
  const plain = text[0] === "\x1b" ? plainText(text) : text;
  if (plain.startsWith("::endgroup::")) return { ends: true };
  if (plain === "^^^ +++") return { keeps: true };
  const found = HEAD.exec(plain);
  return found && !NO_HEAD.test(plain) ? { begins: true, mark: found[1] } : null;
}

export class LogGroup {
  constructor(mark) {
    this.kept = mark.startsWith("+++");
    this.faint = mark.startsWith("~~~");
    this.chunks = [];
    this.errors = 0;
    this.open = true;
    this.settled = false;
  }

  /* The row of the head line becomes the handle; its text stays whole, for search and copy. */
  head(line, mark) {
    this.first = this.last = line;
    this.toggle = button("", () => {}, "fold");
    this.small = make("small", "");
    const name = make("b", "", ...line.span.childNodes);
    const text = document.createTreeWalker(name, NodeFilter.SHOW_TEXT).nextNode();
    const marks = text?.data.startsWith(mark);
    if (marks) text.data = text.data.slice(mark.length);
    line.span.replaceChildren(this.toggle, make("span", "mk", marks ? mark : ""), name);
    line.row.classList.add("gh");
    line.row.classList.toggle("faint", this.faint);
    line.row.append(this.small);
    line.row.group = this;
    this.tell();
  }

  own(chunk) {
    this.chunks.push(chunk);
    if (!this.open) chunk.setAttribute("hidden", "until-found");
  }

  set(open) {
    this.open = open;
    for (const chunk of this.chunks) {
      if (open) chunk.removeAttribute("hidden"); else chunk.setAttribute("hidden", "until-found");
    }
    this.tell();
  }

  /* It is over: the next one has begun, or its end was marked. */
  settle(stored) {
    if (this.settled) return;
    this.settled = true;
    if (stored && !this.kept && !this.errors) this.set(false);
  }

  tell() {
    if (!this.toggle) return;
    const name = this.first.span.lastElementChild.textContent;
    this.toggle.setAttribute("aria-expanded", String(this.open));
    this.toggle.setAttribute("aria-label", `${name}: ${this.open ? "fold" : "unfold"}`);
    const { n: from, at } = this.first, to = this.last.n;
    const parts = [to > from ? `lines ${number.format(from)}–${number.format(to)}` : `line ${number.format(from)}`];
    if (this.last.at - at >= 100) parts.push(lasting(this.last.at - at));
    if (this.errors) parts.push(counted(this.errors, "error"));
    this.small.textContent = parts.join(", ");
    this.small.classList.toggle("bad", this.errors > 0);
  }
}
