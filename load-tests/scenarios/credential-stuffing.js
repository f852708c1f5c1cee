// LoginFailuresSpike: somebody tries stolen passwords, one address after the other.
//
// For 6 minutes: ATTEMPTS (5) logins a second that all fail, beside eight customers. An attempt costs the service a
// password hash, whether there is such a user or not, so a high rate is an attack on its CPU too.

import { check } from 'k6';
import { Client } from './lib/api.js';
import { customersFor, testOptions } from './lib/options.js';
import { number, steadySeconds } from './lib/settings.js';
import { openShops } from './lib/tenants.js';
import { oneOf, visit } from './lib/visits.js';

const seconds = steadySeconds();

export const options = testOptions(
  {
    everyday: customersFor(seconds, { customers: 8 }),
    attack: {
      executor: 'constant-arrival-rate',
      exec: 'attack',
      rate: number('ATTEMPTS', 5),
      timeUnit: '1s',
      duration: `${seconds}s`,
      preAllocatedVUs: 10,
      gracefulStop: '5s',
      tags: { role: 'attacker' },
    },
  },
  {
    'checks{role:attacker}': ['rate>0.99'],
    // The attack shall lock nobody out, and slow nobody down by much.
    'http_req_failed{scenario:everyday}': ['rate<0.01'],
    'http_req_duration{scenario:everyday}': ['p(95)<1000'],
  },
);

export function setup() {
  return openShops();
}

export default function (shops) {
  visit(shops);
}

/** One attempt: half of the addresses exist, none of the passwords is right. */
export function attack(shops) {
  const { slug, email } = oneOf(oneOf(shops).users);
  const stranger = `somebody-${crypto.randomUUID()}@${slug}.example`;
  const attacker = new Client(null, { strict: false, expects: [401] });
  const response = attacker.post('/v1/auth/login', {
    tenant: slug,
    email: Math.random() < 0.5 ? email : stranger,
    password: `stolen ${crypto.randomUUID()}`,
  });
  check(response, { 'the login is refused': ({ status }) => status === 401 });
}
