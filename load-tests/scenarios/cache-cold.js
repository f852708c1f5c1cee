// CacheHitRateLow: each user returns after their cache entry has expired.
//
// USERS (150) users of one tenant take turns: 4 requests/s for 6 minutes, so that each user returns every USERS / 4
// seconds, which is longer than the cache's time to live (30 seconds). The logins in setup take some seconds. No fault
// is injected and no request fails; each request costs one more database transaction.

import exec from 'k6/execution';
import { Client } from './lib/api.js';
import { loadTest } from './lib/options.js';
import { number, steadySeconds } from './lib/settings.js';
import { expectSymptom, Metrics, symptomSeen } from './lib/symptoms.js';
import { prepareTenants, tokenOf } from './lib/tenants.js';

const users = number('USERS', 150);
const PAGES_PER_SECOND = 4;

export const { options, handleSummary } = loadTest(
  'cache-cold',
  {
    everyday: {
      executor: 'constant-arrival-rate',
      rate: PAGES_PER_SECOND,
      timeUnit: '1s',
      duration: `${steadySeconds()}s`,
      preAllocatedVUs: 4,
      maxVUs: 20,
      gracefulStop: '5s',
    },
  },
  {
    ...symptomSeen,
    checks: ['rate>0.999'],
    server_errors: ['rate<0.001'],
    'http_req_duration{scenario:everyday}': ['p(95)<500'],
  },
);

export function setup() {
  const tenants = prepareTenants(['enterprise'], { members: users - 1 });
  return { tenants, before: cacheRequests() };
}

export default function ({ tenants: [tenant] }) {
  const user = tenant.users[exec.scenario.iterationInTest % tenant.users.length];
  new Client(tokenOf(user)).get('/v1/products', { query: 'limit=20' });
}

export function teardown({ before }) {
  const after = cacheRequests();
  const hitRatio = (after.hits - before.hits) / (after.all - before.all);
  expectSymptom(`the cache hit ratio is low (${(100 * hitRatio).toFixed(0)} %)`, hitRatio < 0.3);
}

function cacheRequests() {
  const metrics = Metrics.read();
  return {
    all: metrics.sum('cache_requests_total'),
    hits: metrics.sum('cache_requests_total', 'result="hit"'),
  };
}
