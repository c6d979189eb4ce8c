/* Which lines tell of an error or a warning: by the server's patterns (jobs/log/levels.py). */
import { plainText } from "./log-text.js";

const LOOKED_AT = 300;

export function levelsOf({ errors, warnings }) {
  const error = new RegExp(errors), warning = new RegExp(warnings);
  return (text) => {
    const head = text.length > LOOKED_AT ? text.slice(0, LOOKED_AT) : text;
    const plain = head.includes("\x1b") ? plainText(head) : head;
    if (error.test(plain)) return "bad";
    return warning.test(plain) ? "wrn" : "";
  };
}
