/* A line of hostile output as harmless nodes: text is only ever set as text. */
import { AnsiUp } from "../vendor/ansi_up-6.0.6/ansi_up.js";

export const SHOWN = 4096; // characters of a line that are painted until "show all"
const TEXT = 1, SGR = 5, DONE = new Set([0, 2]); // kinds of ansi_up's packets

// Escapes that are no colours: titles, links, device strings, charsets, cursor moves.
const STRINGS = /\x1b[PX^_\]][^\x07\x1b]*(?:\x07|\x1b\\|(?=\x1b)|$)/g;
const SHORT = /\x1b(?:[()*+\-./][ -~]?|[0-9=><A-OQ-WYZ\\a-z{|}~])/g;
const COLOURS = /\x1b\[[\d;:]*m/g, RESET = /^\x1b\[0*[;m]/, MOST_COLOURS = 8;
// Control characters, and those that turn the direction of text around, shown as signs.
const HIDDEN = /[\x00-\x08\x0b-\x1f\x7f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

function sign(character) {
  const code = character.charCodeAt(0);
  if (code < 0x20) return String.fromCharCode(0x2400 + code);
  return code === 0x7f ? "\u2421" : "\ufffd";
}

/* The colours that are left on after a text, as sequences that set them: what stands before the
   last reset is void, and so is one that comes again. */
function coloursOf(text) {
  if (!text.includes("\x1b")) return "";
  const all = text.match(COLOURS) ?? [];
  const since = all.slice(Math.max(0, all.findLastIndex((one) => RESET.test(one))));
  return since.filter((one, i) => since.lastIndexOf(one) === i).slice(-MOST_COLOURS).join("");
}

/* What a terminal shows of a line that rewrites itself: the last state, in the colours that the
   earlier ones have left on. */
export function collapsed(text) {
  const end = text.endsWith("\r") ? text.length - 2 : text.length - 1;
  const at = end < 0 ? -1 : text.lastIndexOf("\r", end);
  return at < 0 ? text : coloursOf(text.slice(0, at)) + text.slice(at + 1);
}

class Painter extends AnsiUp {
  constructor() {
    super();
    this.use_classes = true;
  }

  paint(text, into) {
    this._buffer = "";
    this.append_buffer(text.replace(STRINGS, "").replace(SHORT, ""));
    for (;;) {
      const packet = this.get_next_packet();
      if (!packet || DONE.has(packet.kind)) break;
      if (packet.kind === TEXT) into.append(piece(this.with_state(packet)));
      else if (packet.kind === SGR) this.process_ansi(packet);
    }
    this._buffer = "";
  }

  get state() {
    const { bold, faint, italic, underline, fg, bg } = this;
    return { bold, faint, italic, underline, fg, bg };
  }

  set state(kept) { Object.assign(this, kept); }

  get plain() { return !(this.bold || this.faint || this.italic || this.underline || this.fg || this.bg); }
}

function piece({ text, bold, faint, italic, underline, fg, bg }) {
  const shown = text.replace(HIDDEN, sign);
  if (!(bold || faint || italic || underline || fg || bg)) return shown;
  const span = document.createElement("span");
  span.textContent = shown;
  if (bold) span.classList.add("w");
  if (fg && fg.class_name !== "truecolor") span.classList.add(`${fg.class_name}-fg`);
  else if (fg) span.style.color = `rgb(${fg.rgb.join(",")})`;
  if (bg) span.style.backgroundColor = `rgb(${bg.rgb.join(",")},.3)`;
  if (faint) span.style.opacity = ".7";
  if (italic) span.style.fontStyle = "italic";
  if (underline) span.style.textDecoration = "underline";
  return span;
}

/* Paints lines in order; a colour that is left on colours the lines after it. */
export class LinePainter {
  #painter = new Painter();

  /* `before` is the state in which the line began, from an earlier call, for painting it anew. */
  paint(span, text, before) {
    if (before) this.#painter.state = before;
    const began = this.#painter.state;
    const whole = collapsed(text).replace(/\r$/, "");
    const head = whole.length > SHOWN ? whole.slice(0, SHOWN) : whole;
    if (this.#painter.plain && !head.includes("\x1b")) span.textContent = head.replace(HIDDEN, sign);
    else {
      span.textContent = "";
      this.#painter.paint(head, span);
    }
    return { began, hidden: whole.length - head.length };
  }
}

export function plainText(text) {
  return collapsed(text).replace(/\r$/, "").replace(STRINGS, "").replace(/\x1b\[[0-?]*[ -/]*[@-~]/g, "").replace(HIDDEN, sign);
}
