// Stress: does the service handle five times the average load?
//
// Up to VUS (60) virtual users, about 90 requests/s, for 5 minutes. Latency may rise and a few requests may be shed;
// none may end in an error. On a small machine LoadShedding, HighResponseTime and the burn-rate alerts may fire.

import { rampingLoad, testOptions } from './lib/options.js';
import { number, scaled, steadySeconds } from './lib/settings.js';
import { prepareTenants } from './lib/tenants.js';
import { visit } from './lib/visits.js';

const vus = number('VUS', 60);

export const options = testOptions(
  {
    everyday: rampingLoad([
      [scaled(60), vus / 2],
      [scaled(30), vus],
      [steadySeconds(180), vus],
      [scaled(30), 0],
    ]),
  },
  {
    server_errors: ['rate<0.01'],
    shed: ['rate<0.1'],
    'http_req_duration{scenario:everyday}': ['p(95)<1000'],
  },
);

// Plans whose rate limits are above this load.
export function setup() {
  return prepareTenants(['pro', 'enterprise', 'enterprise']);
}

export default function (tenants) {
  visit(tenants, { strict: false });
}
