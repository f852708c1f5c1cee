// Spike: does the service survive a sudden increase in load, and recover?
//
// From 6 virtual users to VUS (80) within seconds, for a minute, and back; 3 minutes in all. Requests may be shed
// during the spike; none may end in an error. LoadShedding, HighResponseTime and the burn-rate alerts may fire.

import { rampingLoad, testOptions } from './lib/options.js';
import { number, scaled, steadySeconds } from './lib/settings.js';
import { prepareTenants } from './lib/tenants.js';
import { visit } from './lib/visits.js';

const peak = number('VUS', 80);
const base = 6;

export const options = testOptions(
  {
    everyday: rampingLoad([
      [scaled(10), base],
      [scaled(30), base],
      [scaled(5), peak],
      [steadySeconds(60), peak],
      [scaled(5), base],
      [scaled(60), base],
    ]),
  },
  {
    server_errors: ['rate<0.01'],
    shed: ['rate<0.5'],
    'http_req_duration{scenario:everyday}': ['p(95)<2000'],
  },
);

export function setup() {
  return prepareTenants(['pro', 'enterprise', 'enterprise']);
}

export default function (tenants) {
  visit(tenants, { strict: false });
}
