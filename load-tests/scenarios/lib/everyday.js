// A scenario that only generates load, while a component of the stack is stopped: its options, its setup and its visits.

import { constantLoad, testOptions } from './options.js';
import { steadySeconds } from './settings.js';
import { prepareTenants } from './tenants.js';
import { visit } from './visits.js';

// Requests may fail meanwhile; the threshold covers the ones that succeed.
export const options = testOptions(
  { everyday: constantLoad(steadySeconds(), { vus: 4 }) },
  { 'http_req_duration{scenario:everyday,expected_response:true}': ['p(95)<1000'] },
);

export function setup() {
  return prepareTenants();
}

export default function (tenants) {
  visit(tenants, { strict: false });
}
