// Fault injection through the management ports and the gateway simulator's `/control`. Scenarios inject faults as the
// last step of `setup()` and clear them in `teardown()`, which k6 also runs when it is interrupted.

import http from 'k6/http';
import { fail } from 'k6';
import { urls } from './settings.js';

const LONGEST_SECONDS = 3600; // the maximum that the service accepts
const SPARE_SECONDS = 60; // for the start and the end of k6

/**
 * Injects faults into a process for the duration of the test. If k6 is killed, they expire a minute after the
 * planned end of the test.
 * @param {object} faults settings by fault, for example `{ errors: { share: 0.2 } }`
 * @param {number} seconds duration of the test
 * @param {string} [management] base URL of the process's management port; the API's by default
 */
export function inject(faults, seconds, management = urls.apiManagement) {
  const lasting = { seconds: Math.min(seconds + SPARE_SECONDS, LONGEST_SECONDS) };
  const entries = Object.entries(faults).map(([fault, settings]) => [fault, { ...settings, ...lasting }]);
  put(`${management}/faults`, Object.fromEntries(entries), 'Does it run with GLASSHOUSE_FAULTS_ENABLED=true?');
}

/**
 * Clears all faults of a process.
 * @param {string} [management] base URL of its management port; the API's by default
 */
export function clearFaults(management = urls.apiManagement) {
  remove(`${management}/faults`);
}

/**
 * Sets the behavior of the payment-gateway simulator. It does not expire: if k6 is killed, reset it with
 * `curl -X DELETE $GATEWAY_URL/control`.
 * @param {object} behavior for example `{ decline_rate: 0.6 }`
 */
export function setGatewayBehavior(behavior) {
  put(`${urls.gateway}/control`, behavior, 'Is it the simulator (`glasshouse gateway`)?');
}

/** Resets the payment-gateway simulator to its defaults. */
export function resetGateway() {
  remove(`${urls.gateway}/control`);
}

function put(url, body, hint) {
  const headers = { 'Content-Type': 'application/json' };
  const response = http.put(url, JSON.stringify(body), { headers, tags: { name: route(url) } });
  if (response.status !== 200) {
    fail(`PUT ${url}: ${response.status || response.error} ${response.body || ''}. ${hint}`);
  }
}

function remove(url) {
  const response = http.del(url, null, { tags: { name: route(url) } });
  if (response.status !== 204) {
    console.error(`DELETE ${url}: ${response.status || response.error}. The fault may still be active.`);
  }
}

function route(url) {
  return url.slice(url.lastIndexOf('/'));
}
