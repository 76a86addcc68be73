// Numbers and moments for people.

const UNITS = ["B", "kB", "MB", "GB", "TB"];

export function bytes(count) {
  let value = count ?? 0, unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) { value /= 1000; unit += 1; }
  return `${unit === 0 || value >= 99.95 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`;
}

export function rate(perSecond) {
  return `${bytes(perSecond)}/s`;
}

/** A length of time in seconds: 0.4 ms, 12 ms, 1.2 s, 3 min, 2 h. */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 0.00995) return `${(seconds * 1000).toFixed(1)} ms`;
  if (seconds < 0.9995) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 59.5) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} days`;
}

/** How long ago a moment (Unix milliseconds) was. */
export function ago(moment) {
  if (!moment) return "never";
  const seconds = Math.max(0, (Date.now() - moment) / 1000);
  return seconds < 5 ? "just now" : `${duration(seconds)} ago`;
}

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const DAY = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const MOMENT = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

export const clock = (moment) => CLOCK.format(moment);
export const moment = (value) => MOMENT.format(value);

export function day(value) {
  const date = new Date(value), today = new Date();
  if (date.toDateString() === today.toDateString()) return "Today";
  today.setDate(today.getDate() - 1);
  return date.toDateString() === today.toDateString() ? "Yesterday" : DAY.format(date);
}

export function count(number, one, many = `${one}s`) {
  return `${number} ${number === 1 ? one : many}`;
}

/** What a contact is called here. */
export const nameOf = (contact) => contact.name || contact.id.slice(0, 8);

const PATHS = { lan: "local network", direct: "direct", relay: "over a relay" };

/** Which way a link goes, in words; empty without one. */
export function way(contact) {
  if (!contact.connected) return "";
  return PATHS[contact.path?.kind] ?? "connected";
}
