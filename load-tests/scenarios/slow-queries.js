// SlowQueries: 3 % of the transactions contain a query of 1.5 seconds.
//
// For 6 minutes, on the API with Postgres. Few requests are slow, so the median stays low. LatencyBudgetBurn may fire
// as well.

import { clearFaults, inject } from './lib/faults.js';
import { constantLoad, loadTest } from './lib/options.js';
import { steadySeconds } from './lib/settings.js';
import { expectSymptom, Metrics, symptomSeen } from './lib/symptoms.js';
import { prepareTenants } from './lib/tenants.js';
import { visit } from './lib/visits.js';

const seconds = steadySeconds();

export const { options, handleSummary } = loadTest(
  'slow-queries',
  { everyday: constantLoad(seconds) },
  {
    ...symptomSeen,
    'http_req_duration{scenario:everyday}': ['max>1400', 'med<500'],
    server_errors: ['rate<0.01'],
  },
);

export function setup() {
  const tenants = prepareTenants();
  inject({ slow_queries: { delay_ms: 1500, share: 0.03 } }, seconds);
  return { tenants, before: slowQueries(), begun: Date.now() };
}

export default function ({ tenants }) {
  visit(tenants, { strict: false });
}

export function teardown({ before, begun }) {
  const perMinute = (slowQueries() - before) / ((Date.now() - begun) / 60000);
  clearFaults();
  expectSymptom(`slow queries are counted (${perMinute.toFixed(0)} per minute)`, perMinute > 10);
}

function slowQueries() {
  return Metrics.read().sum('database_slow_queries_total');
}
