// LoginFailuresSpike: an attacker tries stolen passwords.
//
// For 6 minutes: ATTEMPTS (10) failing logins a second, beside the load of eight virtual users. Each attempt costs a
// password hash, whether the user exists or not, until the limits of failed logins throttle it. At the default limits
// that happens after a hundred attempts, because all load comes from one address: within seconds, so that a drill sees it
// while the alert fires.

import { check } from 'k6';
import { Client } from './lib/api.js';
import { constantLoad, loadTest } from './lib/options.js';
import { number, steadySeconds } from './lib/settings.js';
import { prepareTenants } from './lib/tenants.js';
import { oneOf, visit } from './lib/visits.js';

const seconds = steadySeconds();

export const { options, handleSummary } = loadTest(
  'credential-stuffing',
  {
    everyday: constantLoad(seconds, { vus: 8 }),
    attack: {
      executor: 'constant-arrival-rate',
      exec: 'attack',
      rate: number('ATTEMPTS', 10),
      timeUnit: '1s',
      duration: `${seconds}s`,
      preAllocatedVUs: 20,
      gracefulStop: '5s',
      tags: { role: 'attacker' },
    },
  },
  {
    'checks{role:attacker}': ['rate>0.99'],
    // The attack must not lock users out, nor slow them down much.
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

/** One attempt: half of the e-mail addresses exist, no password is correct. */
export function attack(tenants) {
  const { slug, email } = oneOf(oneOf(tenants).members);
  const unknown = `unknown-${crypto.randomUUID()}@${slug}.example`;
  const attacker = new Client(null, { strict: false, expects: [401, 429] });
  const response = attacker.post('/v1/auth/login', {
    tenant: slug,
    email: Math.random() < 0.5 ? email : unknown,
    password: `stolen ${crypto.randomUUID()}`,
  });
  check(response, { 'the login is rejected': ({ status }) => status === 401 || status === 429 });
}
