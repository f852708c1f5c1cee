// A scenario that only generates load, while a component of the stack is stopped: its options, its setup and its visits.

import { constantLoad, loadTest } from './options.js';
import { steadySeconds } from './settings.js';
import { prepareTenants } from './tenants.js';
import { visit } from './visits.js';

/**
 * Returns the options and the summary of such a scenario.
 * @param {string} name the script's file name without `.js`
 * @returns {{options: object, handleSummary: Function}}
 */
export function everyday(name) {
  // Requests may fail meanwhile; the threshold covers the ones that succeed.
  return loadTest(
    name,
    { everyday: constantLoad(steadySeconds(), { vus: 4 }) },
    { 'http_req_duration{scenario:everyday,expected_response:true}': ['p(95)<1000'] },
  );
}

export function setup() {
  return prepareTenants();
}

export default function (tenants) {
  visit(tenants, { strict: false });
}
