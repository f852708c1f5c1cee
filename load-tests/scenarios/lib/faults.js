// Faults on demand, through the management ports and the payment gateway's control. They are switched on in
// `setup()` as its last step, and off in `teardown()`, which k6 also runs when it is interrupted.

import http from 'k6/http';
import { fail } from 'k6';
import { urls } from './settings.js';

const LONGEST_SECONDS = 3600; // what the service accepts
const SPARE_SECONDS = 60; // k6 needs a while to begin and to end

/**
 * Breaks a process for as long as the test runs. If k6 is killed, the fault ends by itself a minute after
 * the test would have.
 * @param {object} faults settings by fault, such as `{ errors: { share: 0.2 } }`
 * @param {number} seconds how long the test runs
 * @param {string} [management] the process's management address; the API's if it is left out
 */
export function inject(faults, seconds, management = urls.apiManagement) {
  const lasting = { seconds: Math.min(seconds + SPARE_SECONDS, LONGEST_SECONDS) };
  const entries = Object.entries(faults).map(([fault, settings]) => [fault, { ...settings, ...lasting }]);
  put(`${management}/faults`, Object.fromEntries(entries), 'Does it run with GLASSHOUSE_FAULTS_ENABLED=true?');
}

/**
 * Ends all faults of a process.
 * @param {string} [management] its management address; the API's if it is left out
 */
export function heal(management = urls.apiManagement) {
  remove(`${management}/faults`);
}

/**
 * Tells the payment gateway how to behave. This has no end of its own: if k6 is killed, end it with
 * `curl -X DELETE $GATEWAY_URL/control`.
 * @param {object} behaviour such as `{ decline_rate: 0.6 }`
 */
export function controlGateway(behaviour) {
  put(`${urls.gateway}/control`, behaviour, 'Is it the gateway of `glasshouse gateway`?');
}

/** Lets the payment gateway behave well again. */
export function releaseGateway() {
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
    console.error(`DELETE ${url}: ${response.status || response.error}. The fault may still be on.`);
  }
}

function route(url) {
  return url.slice(url.lastIndexOf('/'));
}
