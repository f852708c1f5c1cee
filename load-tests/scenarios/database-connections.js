// DatabaseConnectionsExhausted: all connections of the pool but one are held.
//
// For 6 minutes, on the API with Postgres. Each transaction on the remaining connection takes 100 ms longer, so
// requests queue for it. Hardly any request should fail. HighResponseTime and LatencyBudgetBurn may fire as well.

import { clearFaults, inject } from './lib/faults.js';
import { constantLoad, loadTest } from './lib/options.js';
import { steadySeconds } from './lib/settings.js';
import { expectSymptom, Metrics, symptomSeen } from './lib/symptoms.js';
import { prepareTenants } from './lib/tenants.js';
import { visit } from './lib/visits.js';

const seconds = steadySeconds();

export const { options, handleSummary } = loadTest(
  'database-connections',
  { everyday: constantLoad(seconds) },
  {
    ...symptomSeen,
    'http_req_duration{scenario:everyday}': ['p(95)>300'],
    server_errors: ['rate<0.1'],
  },
);

export function setup() {
  const tenants = prepareTenants();
  const before = waits();
  const pool = Metrics.read().sum('database_connections_max');
  inject({ held_connections: { count: pool - 1 }, slow_queries: { delay_ms: 100 } }, seconds);
  return { tenants, before };
}

export default function ({ tenants }) {
  visit(tenants, { strict: false });
}

export function teardown({ before }) {
  const after = waits();
  clearFaults();
  const mean = (after.seconds - before.seconds) / (after.count - before.count);
  expectSymptom(`requests wait for a connection (${(mean * 1000).toFixed(0)} ms on average)`, mean > 0.1);
}

function waits() {
  const metrics = Metrics.read();
  return {
    seconds: metrics.sum('database_acquire_wait_seconds_sum'),
    count: metrics.sum('database_acquire_wait_seconds_count'),
  };
}
