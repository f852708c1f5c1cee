// CacheHitRateLow: everybody comes once, so the cache never helps.
//
// USERS (150) people of one tenant, each of whom asks for one page every USERS / 4 seconds, which is longer than the
// cache remembers them (30 seconds): 4 requests a second for 6 minutes. Logging them in takes some seconds first.
// Nothing is broken, and nothing fails; every request costs a statement more.

import exec from 'k6/execution';
import { Client } from './lib/api.js';
import { testOptions } from './lib/options.js';
import { number, steadySeconds } from './lib/settings.js';
import { expectSymptom, Metrics, symptomSeen } from './lib/symptoms.js';
import { openShops, tokenOf } from './lib/tenants.js';

const users = number('USERS', 150);
const PAGES_PER_SECOND = 4;

export const options = testOptions(
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
  const shops = openShops(['enterprise'], { members: users - 1 });
  return { shops, before: lookUps() };
}

export default function ({ shops: [shop] }) {
  const user = shop.users[exec.scenario.iterationInTest % shop.users.length];
  new Client(tokenOf(user)).get('/v1/products', { query: 'limit=20' });
}

export function teardown({ before }) {
  const after = lookUps();
  const share = (after.hits - before.hits) / (after.all - before.all);
  expectSymptom(`the cache rarely helps (${(100 * share).toFixed(0)} % hits)`, share < 0.3);
}

function lookUps() {
  const metrics = Metrics.read();
  return {
    all: metrics.sum('cache_requests_total'),
    hits: metrics.sum('cache_requests_total', 'result="hit"'),
  };
}
