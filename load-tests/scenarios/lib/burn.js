// An open workload of which an exact ratio fails or is slow: the faults hit two endpoints that get that share of the requests.
// A ratio of random requests would be too uneven for thresholds that are close to each other.

import { Client } from './api.js';
import { clearFaults, inject } from './faults.js';
import { tokenOf } from './tenants.js';

const FAILING = '/v1/users/me';
const SLOW = '/v1/users';
const SLOW_MS = 400; // above the objective of 300 ms

/** Requests per second. */
export const RATE = 60;
const WARM_UP = 5; // seconds without a fault, so that the first one is no large ratio
const MOST_AT_ONCE = 24; // fewer than the service accepts at once: after a pause of the machine it would shed the others

/**
 * Returns k6 scenarios, for the functions of this module with their names.
 * @param {number} seconds duration
 * @param {object} ratios
 * @param {number} ratios.failed ratio of the requests that fail
 * @param {number} ratios.slow ratio of the requests that are slow
 * @returns {object} k6 scenarios by name
 */
export function burning(seconds, { failed, slow }) {
  return {
    sound: arrivals('sound', RATE, seconds),
    failing: { ...arrivals('failing', RATE * failed, seconds), startTime: `${WARM_UP}s` },
    slow: { ...arrivals('slow', RATE * slow, seconds), startTime: `${WARM_UP}s` },
  };
}

/**
 * Returns an open workload.
 * @param {string} exec name of the function for one request
 * @param {number} perSecond requests per second; less than one is possible
 * @param {number} seconds duration
 * @returns {object} a k6 scenario
 */
export function arrivals(exec, perSecond, seconds) {
  const rate = Math.max(1, Math.round(perSecond * 100));
  return {
    executor: 'constant-arrival-rate',
    exec,
    rate,
    timeUnit: '100s',
    duration: `${seconds}s`,
    preAllocatedVUs: Math.min(Math.ceil(perSecond / 4) + 2, MOST_AT_ONCE),
    gracefulStop: '5s',
  };
}

/** Injects the faults as the last step of `setup()`. */
export function injectBurn(seconds) {
  inject({ errors: { endpoint: FAILING }, latency: { endpoint: SLOW, delay_ms: SLOW_MS } }, seconds);
}

/** A request that succeeds. */
export function sound([tenant]) {
  client(tenant).get('/v1/products', { query: 'limit=5' });
}

/** A request that fails while the faults are active. */
export function failing([tenant]) {
  client(tenant).get(FAILING);
}

/** A request that is slow while the faults are active. */
export function slow([tenant]) {
  client(tenant).get(SLOW, { query: 'limit=5' });
}

export function teardown() {
  clearFaults();
}

function client(tenant) {
  return new Client(tokenOf(tenant.owner), { strict: false });
}
