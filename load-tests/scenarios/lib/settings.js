// Settings from environment variables: addresses, speed and duration.

/** Base URLs of the processes. */
export const urls = {
  api: variable('BASE_URL', 'http://127.0.0.1:8080'),
  apiManagement: variable('API_MANAGEMENT_URL', 'http://127.0.0.1:9000'),
  workerManagement: variable('WORKER_MANAGEMENT_URL', 'http://127.0.0.1:9001'),
  gateway: variable('GATEWAY_URL', 'http://127.0.0.1:8090'),
};

const speed = number('SPEED', 1);

/**
 * Returns an environment variable. An empty one counts as unset.
 * @param {string} name
 * @param {string} [fallback]
 * @returns {string|undefined}
 */
export function variable(name, fallback) {
  return __ENV[name] || fallback;
}

/**
 * Returns an environment variable as a positive number.
 * @param {string} name
 * @param {number} fallback
 * @returns {number}
 */
export function number(name, fallback) {
  const value = Number(variable(name, fallback));
  if (!(value > 0 && Number.isFinite(value))) {
    throw new Error(`${name} must be a positive number, not ${__ENV[name]}`);
  }
  return value;
}

/**
 * Divides a duration by SPEED.
 * @param {number} seconds the duration at SPEED=1
 * @returns {number} whole seconds, at least 1
 */
export function scaled(seconds) {
  return Math.max(1, Math.round(seconds / speed));
}

/**
 * Returns the duration of the steady phase: DURATION unchanged, or the default divided by SPEED.
 * @param {number} [seconds] the default at SPEED=1
 * @param {number} [atLeast] a lower bound at any SPEED, for symptoms that need real time
 * @returns {number} whole seconds
 */
export function steadySeconds(seconds = 360, atLeast = 0) {
  const wanted = variable('DURATION');
  return wanted === undefined ? Math.max(scaled(seconds), atLeast) : parseDuration(wanted);
}

function parseDuration(text) {
  const parts = /^(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?$/.exec(text);
  const [hours, minutes, seconds] = (parts || []).slice(1).map((part) => Number(part || 0));
  const total = hours * 3600 + minutes * 60 + seconds;
  if (!(total > 0)) {
    throw new Error(`DURATION must look like 90s, 5m or 1h30m, not ${text}`);
  }
  return total;
}
