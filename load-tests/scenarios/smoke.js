// Smoke: does everything work at all, for a customer of each plan?
//
// Three customers for a minute. It breaks nothing, and no alert may fire.

import { customersFor, testOptions } from './lib/options.js';
import { steadySeconds } from './lib/settings.js';
import { openShops } from './lib/tenants.js';
import { visit } from './lib/visits.js';

export const options = testOptions(
  { everyday: customersFor(steadySeconds(60), { customers: 3 }) },
  {
    checks: ['rate==1'],
    server_errors: ['rate==0'],
    'http_req_duration{scenario:everyday}': ['p(95)<500'],
  },
);

export function setup() {
  return openShops();
}

export default function (shops) {
  visit(shops);
}
