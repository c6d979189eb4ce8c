/* The small pieces that the log viewer is made of. */
export const number = new Intl.NumberFormat("en");

export const counted = (n, one, many = `${one}s`) => `${number.format(n)} ${n === 1 ? one : many}`;

export function make(tag, className, ...children) {
  const el = document.createElement(tag);
  if (className) el.className = className;
  el.append(...children);
  return el;
}

export function button(words, act, className = "") {
  const el = make("button", className, words);
  el.type = "button";
  el.addEventListener("click", act);
  return el;
}

/* A fetch whose connection was lost without a word would hang for many minutes, and with it all
   that wait for their turn behind it. */
const ANSWER_MS = 15_000;

export const answered = (signal) => AbortSignal.any([AbortSignal.timeout(ANSWER_MS), ...(signal ? [signal] : [])]);
