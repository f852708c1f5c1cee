// Stress: does the service handle five times the average load?
//
// Up to VISITS (33) visits/s, about 90 requests/s, for 5 minutes. Visits begin at that rate however slow the service is.
// Latency may rise and a few requests may be shed; none may end in an error. On a small machine LoadShedding,
// HighResponseTime and the burn-rate alerts may fire.

import { routesWithin } from './lib/objectives.js';
import { arrivingVisits, loadTest } from './lib/options.js';
import { number, scaled, steadySeconds } from './lib/settings.js';
import { prepareTenants } from './lib/tenants.js';
import { visit } from './lib/visits.js';

const visits = number('VISITS', 33);

export const { options, handleSummary } = loadTest(
  'stress',
  {
    everyday: arrivingVisits(
      [
        [scaled(60), visits / 2],
        [scaled(30), visits],
        [steadySeconds(180), visits],
        [scaled(30), 0],
      ],
      1,
    ),
  },
  {
    server_errors: ['rate<0.01'],
    shed: ['rate<0.1'],
    'http_req_duration{scenario:everyday}': ['p(95)<1000'],
    ...routesWithin({ slower: 2, errors: 0.02 }),
    dropped_iterations: ['count<50'], // visits without a free virtual user: all of them were waiting for the service
  },
);

// Plans whose rate limits are above this load.
export function setup() {
  return prepareTenants(['pro', 'enterprise', 'enterprise']);
}

export default function (tenants) {
  visit(tenants, { strict: false });
}
