/* When a line was written, in the words that somebody has chosen. */
const two = (n) => String(n).padStart(2, "0");
const three = (n) => String(n).padStart(3, "0");

function since(ms) {
  const sign = ms < 0 ? "−" : "+", all = Math.abs(ms);
  const hours = Math.floor(all / 3_600_000), minutes = Math.floor(all / 60_000) % 60;
  const head = hours ? `${hours}:${two(minutes)}` : `${minutes}`;
  return `${sign}${head}:${two(Math.floor(all / 1000) % 60)}.${three(all % 1000)}`;
}

/* `mode` is off, local (the zone that somebody chose, or the browser's), utc or since;
   `start` is when the program started, in ms. */
export function stamp(ms, mode, start) {
  if (mode === "since") return since(ms - start);
  if (mode === "utc") return new Date(ms).toISOString().slice(11, 23) + "Z";
  if (mode === "local") return new Date(ms + Gantry.zoneOffset(ms)).toISOString().slice(11, 23);
  return "";
}

export function lasting(ms) {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}
