// LatencyBudgetBurnFast: a sustained increase in latency.
//
// 60 % of the requests take 500 ms longer. That is 60 times what an objective of 99 % under 300 ms allows, and below
// the threshold of HighResponseTime. It takes 50 minutes, because the alert uses a window of an hour; on a new stack
// 10 minutes are enough. No request fails.

import { clearFaults, inject } from './lib/faults.js';
import { constantLoad, loadTest } from './lib/options.js';
import { steadySeconds } from './lib/settings.js';
import { prepareTenants } from './lib/tenants.js';
import { visit } from './lib/visits.js';

const seconds = steadySeconds(50 * 60);

export const { options, handleSummary } = loadTest(
  'latency-budget-burn',
  { everyday: constantLoad(seconds) },
  {
    'http_req_duration{scenario:everyday}': ['med>300', 'p(95)<1000'],
    server_errors: ['rate<0.01'],
  },
);

export function setup() {
  const tenants = prepareTenants();
  inject({ latency: { delay_ms: 500, share: 0.6 } }, seconds);
  return tenants;
}

export default function (tenants) {
  visit(tenants, { strict: false });
}

export function teardown() {
  clearFaults();
}
