// Numbers, durations and times as people read them.

/** A number with about three significant digits. */
export function number(value) {
  if (value >= 1000) return Math.round(value).toLocaleString('en-US');
  return value.toFixed(value >= 100 ? 0 : value >= 10 ? 1 : value >= 1 || value === 0 ? 1 : 2);
}

/** Microseconds in milliseconds, without the unit. */
export function ms(us) {
  const value = us / 1000;
  if (value >= 10_000) return Math.round(value).toLocaleString('en-US');
  return value.toFixed(value >= 100 ? 0 : value >= 0.1 ? 1 : 2);
}

/** Seconds in milliseconds, without the unit; a dash for none. */
export function secondsAsMs(seconds) {
  return seconds === null || seconds === undefined ? '–' : ms(seconds * 1_000_000);
}

/** Microseconds with the unit that fits. */
export function duration(us) {
  return us >= 10_000_000 ? `${(us / 1_000_000).toFixed(1)} s` : `${ms(us)} ms`;
}

/** A ratio in percent. */
export function percent(ratio) {
  if (ratio === null || ratio === undefined) return '–';
  const value = ratio * 100;
  return value === 0 ? '0' : value < 0.1 ? '<0.1' : value.toFixed(value >= 99.95 ? 0 : 1);
}

/** The clock time of microseconds since 1970, to a tenth of a second. */
export function clock(us) {
  const date = new Date(us / 1000);
  const two = (part) => String(part).padStart(2, '0');
  const tenth = Math.floor(date.getMilliseconds() / 100);
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${tenth}`;
}

/** Seconds as minutes and seconds. */
export function countdown(seconds) {
  return `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, '0')}`;
}

/** An id, shortened in its middle. */
export function short(id) {
  return id.length > 16 ? `${id.slice(0, 8)}…${id.slice(-6)}` : id;
}
