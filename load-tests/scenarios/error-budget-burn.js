// ErrorBudgetBurnFast: a sustained error ratio of a few percent.
//
// 4 % of the requests end in a 500. That is 40 times what an objective of 99.9 % allows, and below the threshold of
// HighErrorRate. It takes 55 minutes, because the alert uses a window of an hour; on a new stack 10 minutes are
// enough.

import { clearFaults, inject } from './lib/faults.js';
import { constantLoad, loadTest } from './lib/options.js';
import { steadySeconds } from './lib/settings.js';
import { prepareTenants } from './lib/tenants.js';
import { visit } from './lib/visits.js';

const seconds = steadySeconds(55 * 60);

export const { options, handleSummary } = loadTest(
  'error-budget-burn',
  { everyday: constantLoad(seconds) },
  { server_errors: ['rate>0.015', 'rate<0.08'] },
);

export function setup() {
  const tenants = prepareTenants();
  inject({ errors: { share: 0.04 } }, seconds);
  return tenants;
}

export default function (tenants) {
  visit(tenants, { strict: false });
}

export function teardown() {
  clearFaults();
}
