// Scaled worker: does a second worker share the work? The drill starts it during the load, and stops it afterwards.
//
// 8 virtual users who mostly buy, for 3 minutes, and for at least 45 seconds whatever SPEED is: a container has to start. No faults
// are injected, and no request may fail.

import { constantLoad, loadTest } from './lib/options.js';
import { steadySeconds } from './lib/settings.js';
import { prepareTenants } from './lib/tenants.js';
import { CHECKOUT_MIX, visit } from './lib/visits.js';

export const { options, handleSummary } = loadTest(
  'scaled-worker',
  { everyday: constantLoad(steadySeconds(180, 45), { vus: 8 }) },
  {
    checks: ['rate>0.999'],
    server_errors: ['rate<0.001'],
  },
);

export function setup() {
  return prepareTenants();
}

export default function (tenants) {
  visit(tenants, { mix: CHECKOUT_MIX });
}
