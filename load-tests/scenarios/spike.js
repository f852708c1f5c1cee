// Spike: does the service survive a sudden increase in load, and recover?
//
// From 3 visits/s to VISITS (44) visits/s (about 120 requests/s) within seconds, for a minute, and back; 3 minutes in all.
// Visits begin at that rate however slow the service is. Requests may be shed during the spike; none may end in an
// error. LoadShedding, HighResponseTime and the burn-rate alerts may fire.

import { routesWithin } from './lib/objectives.js';
import { arrivingVisits, loadTest } from './lib/options.js';
import { number, scaled, steadySeconds } from './lib/settings.js';
import { prepareTenants } from './lib/tenants.js';
import { visit } from './lib/visits.js';

const peak = number('VISITS', 44);
const base = 3;

export const { options, handleSummary } = loadTest(
  'spike',
  {
    everyday: arrivingVisits(
      [
        [scaled(40), base],
        [scaled(5), peak],
        [steadySeconds(60), peak],
        [scaled(5), base],
        [scaled(60), base],
      ],
      base,
    ),
  },
  {
    server_errors: ['rate<0.01'],
    shed: ['rate<0.5'],
    'http_req_duration{scenario:everyday}': ['p(95)<2000'],
    ...routesWithin({ slower: 4, errors: 0.02 }),
    dropped_iterations: ['count<200'], // visits without a free virtual user: all of them were waiting for the service
  },
);

export function setup() {
  return prepareTenants(['pro', 'enterprise', 'enterprise']);
}

export default function (tenants) {
  visit(tenants, { strict: false });
}
