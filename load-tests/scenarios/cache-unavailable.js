// CacheUnavailable: every look-up in the cache fails.
//
// For 6 minutes, on the API. The service goes on without its cache: no request fails, and each costs a statement more.

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
    server_errors: ['rate<0.01'],
    'http_req_duration{scenario:everyday}': ['p(95)<1000'],
  },
);

export function setup() {
  const shops = openShops();
  inject({ cache_errors: { share: 1 } }, seconds);
  return { shops, before: lookUps() };
}

export default function ({ shops }) {
  visit(shops, { strict: false });
}

export function teardown({ before }) {
  const after = lookUps();
  heal();
  const share = (after.errors - before.errors) / (after.all - before.all);
  expectSymptom(`look-ups in the cache fail (${(100 * share).toFixed(0)} %)`, share > 0.9);
}

function lookUps() {
  const metrics = Metrics.read();
  return {
    all: metrics.sum('cache_requests_total'),
    errors: metrics.sum('cache_requests_total', 'result="error"'),
  };
}
