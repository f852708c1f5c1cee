// CacheUnavailable: Redis is down.
//
// For 6 minutes. The script only generates load: stop Redis meanwhile, for example with `docker compose stop redis`. The
// API stays ready and falls back to the database: no request fails, and each one costs one more transaction.

import { constantLoad, loadTest } from './lib/options.js';
import { steadySeconds } from './lib/settings.js';
import { Metrics, expectSymptom, symptomSeen } from './lib/symptoms.js';
import { prepareTenants } from './lib/tenants.js';
import { visit } from './lib/visits.js';

export const { options, handleSummary } = loadTest(
  'cache-unavailable',
  { everyday: constantLoad(steadySeconds()) },
  {
    ...symptomSeen,
    server_errors: ['rate<0.01'],
    'http_req_duration{scenario:everyday}': ['p(95)<1000'],
  },
);

export function setup() {
  return { tenants: prepareTenants(), before: cacheErrors() };
}

export default function ({ tenants }) {
  visit(tenants, { strict: false });
}

export function teardown({ before }) {
  const errors = cacheErrors() - before;
  expectSymptom(`${errors} cache lookups fail`, errors > 0);
}

function cacheErrors() {
  return Metrics.read().sum('cache_requests_total', 'result="error"');
}
