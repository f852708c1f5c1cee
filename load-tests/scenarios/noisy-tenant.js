// NoisyTenant: one tenant asks for far more than its plan allows, and the others must not feel it.
//
// At first the noisy tenant is quiet. From then on it is noisy for 20 seconds and quiet for 10, again and again, for 6
// minutes and at least two: a tenant on the free plan that makes NOISY_RATE (50) requests a second, of which the
// rate limit refuses most. Nothing is broken.
//
// The run fails if p95 of the other tenants is more than a fifth higher in the noise than in the quiet. One virtual user
// measures it, always with the same request, because virtual users share no memory and k6 compares no two metrics. Noise
// and quiet take turns, so that a machine that becomes slower or faster is so in both.

import { sleep } from 'k6';
import exec from 'k6/execution';
import { Gauge } from 'k6/metrics';
import { Client } from './lib/api.js';
import { customersFor, testOptions } from './lib/options.js';
import { number, steadySeconds } from './lib/settings.js';
import { openShops, tokenOf } from './lib/tenants.js';
import { visit } from './lib/visits.js';

const p95Ratio = new Gauge('others_p95_ratio');

const WARM_UP = 5; // not measured: connections open, caches fill
const FIRST_QUIET = 20;
const NOISY = 20;
const QUIET = 10;
const seconds = FIRST_QUIET + steadySeconds(360, 120);

export const options = testOptions(
  {
    everyday: customersFor(seconds, { customers: 6, tags: { role: 'other' } }),
    probe: customersFor(seconds, { customers: 1, exec: 'probe', tags: { role: 'other' } }),
    noise: {
      executor: 'constant-arrival-rate',
      exec: 'noise',
      rate: number('NOISY_RATE', 50),
      timeUnit: '1s',
      duration: `${seconds}s`,
      preAllocatedVUs: 10, // and no more: the concurrency limit is not what is asked about here
      gracefulStop: '5s',
      tags: { role: 'noisy' },
    },
  },
  {
    others_p95_ratio: ['value>0', 'value<=1.2'],
    'rate_limited{role:noisy}': ['rate>0.5'],
    'rate_limited{role:other}': ['rate==0'],
    'checks{role:other}': ['rate>0.99'],
    'http_req_duration{role:other,phase:quiet}': ['p(95)<500'],
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

/** A request of the noisy tenant, unless it is quiet. */
export function noise({ loud }) {
  if (phase() === 'quiet') {
    return;
  }
  const client = new Client(tokenOf(loud.owner), { tags: { role: 'noisy' }, strict: false, expects: [429] });
  client.get('/v1/products', { query: 'limit=20' });
}

// What the virtual user of the probe has measured, in milliseconds.
const measured = { quiet: [], noisy: [] };
const ENOUGH = 100;

/** A request of another tenant whose duration is compared. */
export function probe({ others }) {
  const shop = others[others.length - 1]; // enterprise: this many requests are within its plan
  const now = phase();
  const client = new Client(tokenOf(shop.owner), { tags: { role: 'other', phase: now } });
  const { timings } = client.get('/v1/products', { query: 'limit=20' });
  if (secondsPassed() > WARM_UP) {
    measured[now].push(timings.duration);
  }
  if (now === 'noisy' && measured.noisy.length % ENOUGH === 0) {
    p95Ratio.add(p95(measured.noisy) / p95(measured.quiet)); // the last one counts
  }
  sleep(0.01);
}

function secondsPassed() {
  return (Date.now() - exec.scenario.startTime) / 1000;
}

function phase() {
  const noisySince = secondsPassed() - FIRST_QUIET;
  return noisySince >= 0 && noisySince % (NOISY + QUIET) < NOISY ? 'noisy' : 'quiet';
}

function p95(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(0.95 * (sorted.length - 1))];
}
