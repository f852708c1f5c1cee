// HighErrorRate: 20 % of the requests end in a 500.
//
// For 6 minutes, on the API. Orders that were already placed stay paid. ErrorBudgetBurn may fire as well.

import { clearFaults, inject } from './lib/faults.js';
import { constantLoad, loadTest } from './lib/options.js';
import { steadySeconds } from './lib/settings.js';
import { prepareTenants } from './lib/tenants.js';
import { visit } from './lib/visits.js';

const seconds = steadySeconds();

export const { options, handleSummary } = loadTest(
  'high-error-rate',
  { everyday: constantLoad(seconds) },
  {
    // Bounds around the injected 20 %: a fault without effect fails the run, and so does one with too much.
    server_errors: ['rate>0.1', 'rate<0.3'],
  },
);

export function setup() {
  const tenants = prepareTenants();
  inject({ errors: { share: 0.2 } }, seconds);
  return tenants;
}

export default function (tenants) {
  visit(tenants, { strict: false });
}

export function teardown() {
  clearFaults();
}
