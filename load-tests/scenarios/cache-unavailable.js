// CacheUnavailable: every cache lookup fails.
//
// For 6 minutes, on the API. The service falls back to the database: no request fails, and each one costs one more
// transaction.

import { clearFaults, inject } from './lib/faults.js';
import { constantLoad, testOptions } from './lib/options.js';
import { steadySeconds } from './lib/settings.js';
import { expectSymptom, Metrics, symptomSeen } from './lib/symptoms.js';
import { prepareTenants } from './lib/tenants.js';
import { visit } from './lib/visits.js';

const seconds = steadySeconds();

export const options = testOptions(
  { everyday: constantLoad(seconds) },
  {
    ...symptomSeen,
    server_errors: ['rate<0.01'],
    'http_req_duration{scenario:everyday}': ['p(95)<1000'],
  },
);

export function setup() {
  const tenants = prepareTenants();
  inject({ cache_errors: { share: 1 } }, seconds);
  return { tenants, before: cacheRequests() };
}

export default function ({ tenants }) {
  visit(tenants, { strict: false });
}

export function teardown({ before }) {
  const after = cacheRequests();
  clearFaults();
  const errorRatio = (after.errors - before.errors) / (after.all - before.all);
  expectSymptom(`cache requests fail (${(100 * errorRatio).toFixed(0)} %)`, errorRatio > 0.9);
}

function cacheRequests() {
  const metrics = Metrics.read();
  return {
    all: metrics.sum('cache_requests_total'),
    errors: metrics.sum('cache_requests_total', 'result="error"'),
  };
}
