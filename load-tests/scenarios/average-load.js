// Average load: a typical day. Does the service meet its latency and error objectives?
//
// 12 virtual users (VUS), about 20 requests/s, for 3 minutes. No faults are injected, and no alert may fire. The
// Compose service `average-load` runs it with fewer virtual users.

import { routesWithin } from './lib/objectives.js';
import { constantLoad, loadTest } from './lib/options.js';
import { number, steadySeconds } from './lib/settings.js';
import { prepareTenants } from './lib/tenants.js';
import { visit } from './lib/visits.js';

export const { options, handleSummary } = loadTest(
  'average-load',
  { everyday: constantLoad(steadySeconds(180), { vus: number('VUS', 12) }) },
  {
    checks: ['rate>0.999'],
    server_errors: ['rate<0.001'],
    rate_limited: ['rate==0'],
    'http_req_duration{scenario:everyday}': ['p(95)<300', 'p(99)<1000'],
    ...routesWithin(),
  },
);

export function setup() {
  return prepareTenants();
}

export default function (tenants) {
  visit(tenants);
}
