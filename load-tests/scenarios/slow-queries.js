// SlowQueries: three of a hundred transactions contain a statement of 1.5 seconds.
//
// For 6 minutes, on the API and with Postgres. Few customers notice, so p95 stays low. LatencyBudgetBurn may fire as
// well.

import { heal, inject } from './lib/faults.js';
import { customersFor, testOptions } from './lib/options.js';
import { steadySeconds } from './lib/settings.js';
import { expectSymptom, Metrics, symptomSeen } from './lib/symptoms.js';
import { openShops } from './lib/tenants.js';
import { visit } from './lib/visits.js';

const seconds = steadySeconds();

export const options = testOptions(
  { everyday: customersFor(seconds) },
  {
    ...symptomSeen,
    'http_req_duration{scenario:everyday}': ['max>1400', 'med<500'],
    server_errors: ['rate<0.01'],
  },
);

export function setup() {
  const shops = openShops();
  inject({ slow_queries: { delay_ms: 1500, share: 0.03 } }, seconds);
  return { shops, before: slowQueries(), begun: Date.now() };
}

export default function ({ shops }) {
  visit(shops, { strict: false });
}

export function teardown({ before, begun }) {
  const perMinute = (slowQueries() - before) / ((Date.now() - begun) / 60000);
  heal();
  expectSymptom(`statements are counted as slow (${perMinute.toFixed(0)} a minute)`, perMinute > 10);
}

function slowQueries() {
  return Metrics.read().sum('database_slow_queries_total');
}
