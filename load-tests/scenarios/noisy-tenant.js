// NoisyTenant: one tenant asks for far more than its plan allows, and the others must not feel it.
//
// A tenant on the free plan makes about 17 requests a second at first, which its plan allows (20). From then on it is noisy
// and modest in turns, for 7 minutes and at least four: in the noise it makes NOISY_RATE (50) requests a second, of which
// the rate limit refuses most. Nothing is broken.
//
// The run fails if p95 of the other tenants is more than a fifth higher in the noise than in the modest times: the two
// differ in nothing but what goes beyond the plan, which is what the limit must keep from the others. One virtual user
// measures it, always with the same request, because virtual users share no memory and k6 compares no two metrics. Taking
// turns puts a machine that becomes slower or faster into both; at SPEED=1 there is one turn of noise, between two modest ones.

import { sleep } from 'k6';
import exec from 'k6/execution';
import { Gauge } from 'k6/metrics';
import { Client } from './lib/api.js';
import { customersFor, testOptions } from './lib/options.js';
import { number, scaled, steadySeconds } from './lib/settings.js';
import { openShops, tokenOf } from './lib/tenants.js';
import { visit } from './lib/visits.js';

const p95Ratio = new Gauge('others_p95_ratio');

const WARM_UP = 5; // seconds that are not measured: connections open, caches fill
const NOISY = Math.max(scaled(300), 20); // seconds: long enough for the alert
const MODEST = Math.max(scaled(120), 20);
const MODEST_RATE = 18; // or a little less: the plan allows 20
const NOISY_RATE = number('NOISY_RATE', 50);
const seconds = MODEST + steadySeconds(420, 240);

export const options = testOptions(
  {
    everyday: customersFor(seconds, { customers: 6, tags: { role: 'other' } }),
    probe: {
      executor: 'per-vu-iterations',
      exec: 'probe',
      vus: 1,
      iterations: 1, // one long one, which remembers what it measured
      maxDuration: `${seconds + 10}s`,
      tags: { role: 'other' },
    },
    noise: {
      executor: 'constant-arrival-rate',
      exec: 'noise',
      rate: NOISY_RATE,
      timeUnit: '1s',
      duration: `${seconds}s`,
      preAllocatedVUs: 10, // and no more: the concurrency limit is not what is asked about here
      gracefulStop: '5s',
      tags: { role: 'noisy' },
    },
  },
  {
    others_p95_ratio: ['value>0', 'value<=1.2'],
    'rate_limited{role:noisy,phase:noisy}': ['rate>0.4'],
    'rate_limited{role:noisy,phase:modest}': ['rate<0.02'],
    'rate_limited{role:other}': ['rate==0'],
    'checks{role:other}': ['rate>0.99'],
    'http_req_duration{role:other,phase:modest}': ['p(95)<500'],
    'http_req_duration{role:other,phase:noisy}': ['p(95)<500'],
    server_errors: ['rate<0.01'],
  },
);

export function setup() {
  const others = openShops(['free', 'pro', 'enterprise']);
  const [loud] = openShops(['free'], { members: 0, products: 1 });
  return { others, loud };
}

/** A visit of one of the other tenants. */
export default function ({ others }) {
  visit(others, { tags: { role: 'other', phase: phase() } });
}

/** A request of the noisy tenant. In modest times it is one of a few that makes it. */
export function noise({ loud }) {
  const now = phase();
  if (now === 'modest' && exec.scenario.iterationInTest % Math.ceil(NOISY_RATE / MODEST_RATE) !== 0) {
    return;
  }
  const tags = { role: 'noisy', phase: now };
  const client = new Client(tokenOf(loud.owner), { tags, strict: false, expects: [429] });
  client.get('/v1/products', { query: 'limit=20' });
}

/** All requests of the virtual user whose durations are compared. */
export function probe({ others }) {
  const shop = others[others.length - 1]; // enterprise: this many requests are within its plan
  const measured = { modest: [], noisy: [] }; // milliseconds
  while (secondsPassed() < seconds) {
    const now = phase();
    const client = new Client(tokenOf(shop.owner), { tags: { role: 'other', phase: now } });
    const { timings } = client.get('/v1/products', { query: 'limit=20' });
    if (secondsPassed() > WARM_UP) {
      measured[now].push(timings.duration);
    }
    sleep(0.01); // p95 of a few samples is a matter of luck
  }
  p95Ratio.add(p95(measured.noisy) / p95(measured.modest));
}

function secondsPassed() {
  return (Date.now() - exec.scenario.startTime) / 1000;
}

function phase() {
  return secondsPassed() % (MODEST + NOISY) < MODEST ? 'modest' : 'noisy';
}

function p95(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(0.95 * (sorted.length - 1))];
}
