// Smoke: do the main user journeys work, for tenants on each plan?
//
// 3 virtual users for a minute. No faults are injected, and no alert may fire.

import { routesWithin } from './lib/objectives.js';
import { constantLoad, loadTest } from './lib/options.js';
import { steadySeconds } from './lib/settings.js';
import { prepareTenants } from './lib/tenants.js';
import { visit } from './lib/visits.js';

export const { options, handleSummary } = loadTest(
  'smoke',
  { everyday: constantLoad(steadySeconds(60), { vus: 3 }) },
  {
    checks: ['rate==1'],
    server_errors: ['rate==0'],
    'http_req_duration{scenario:everyday}': ['p(95)<500'],
    ...routesWithin({ errors: 0.001 }),
  },
);

export function setup() {
  return prepareTenants();
}

export default function (tenants) {
  visit(tenants);
}
