// DatabaseConnectionsExhausted: something holds all connections but one.
//
// For 6 minutes, on the API and with Postgres. The last connection is kept busy by statements that take a tenth of a
// second longer, so all customers queue for it. They wait; hardly any request should fail. HighResponseTime and
// LatencyBudgetBurn may fire as well.

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
    'http_req_duration{scenario:everyday}': ['p(95)>300'],
    server_errors: ['rate<0.1'],
  },
);

export function setup() {
  const shops = openShops();
  const before = waits();
  const pool = Metrics.read().sum('database_connections_max');
  inject({ held_connections: { count: pool - 1 }, slow_queries: { delay_ms: 100 } }, seconds);
  return { shops, before };
}

export default function ({ shops }) {
  visit(shops, { strict: false });
}

export function teardown({ before }) {
  const after = waits();
  heal();
  const mean = (after.seconds - before.seconds) / (after.count - before.count);
  expectSymptom(`callers wait for a connection (${(mean * 1000).toFixed(0)} ms on average)`, mean > 0.1);
}

function waits() {
  const metrics = Metrics.read();
  return {
    seconds: metrics.sum('database_acquire_wait_seconds_sum'),
    count: metrics.sum('database_acquire_wait_seconds_count'),
  };
}
