// SignUpsThrottled: a client creates tenants as fast as it can.
//
// For 6 minutes: SIGN_UPS (20) sign-ups a second from one address, beside the load of eight virtual users. The limit of
// sign-ups lets a burst pass, and throttles most of the others.

import { check } from 'k6';
import { Client } from './lib/api.js';
import { constantLoad, loadTest } from './lib/options.js';
import { number, steadySeconds } from './lib/settings.js';
import { prepareTenants } from './lib/tenants.js';
import { visit } from './lib/visits.js';

const seconds = steadySeconds();

export const { options, handleSummary } = loadTest(
  'sign-up-flood',
  {
    everyday: constantLoad(seconds, { vus: 8 }),
    flood: {
      executor: 'constant-arrival-rate',
      exec: 'flood',
      rate: number('SIGN_UPS', 20),
      timeUnit: '1s',
      duration: `${seconds}s`,
      preAllocatedVUs: 10,
      gracefulStop: '5s',
      tags: { role: 'flood' },
    },
  },
  {
    'checks{role:flood}': ['rate>0.99'],
    'rate_limited{role:flood}': ['rate>0.3'],
    // Other clients do not notice.
    'http_req_failed{scenario:everyday}': ['rate<0.01'],
    'http_req_duration{scenario:everyday}': ['p(95)<1000'],
  },
);

export function setup() {
  return prepareTenants();
}

export default function (tenants) {
  visit(tenants);
}

/** One sign-up. */
export function flood() {
  const slug = `flood-${crypto.randomUUID().slice(0, 18)}`;
  const owner = { email: `owner@${slug}.example`, password: 'load test password' };
  const client = new Client(null, { strict: false, expects: [429], tags: { role: 'flood' } });
  const response = client.post('/v1/tenants', { slug, name: 'Flood', owner });
  check(response, { 'the sign-up is accepted or throttled': ({ status }) => status === 201 || status === 429 });
}
