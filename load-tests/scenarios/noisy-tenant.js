// NoisyTenant: one tenant exceeds its rate limit by far, and other tenants must not be affected.
//
// A tenant on the free plan (20 requests/s) alternates between two phases for 9 minutes, and for at least 4 after the
// first phase: `modest`, about 17 requests/s, and `noisy`, NOISY_RATE (50) requests/s, most of which are throttled. No
// fault is injected.
//
// The run fails if the p95 latency of the other tenants in the noisy phases exceeds that of the modest phases by more
// than 20 %. The phases differ only in the excess over the plan, which is what the limit must keep away from other
// tenants. One virtual user takes all measurements with the same request, because virtual users share no memory and k6
// cannot compare two metrics. Alternating phases spread a change in the machine's speed over both; at SPEED=1 one
// noisy phase lies between two modest ones.

import { sleep } from 'k6';
import exec from 'k6/execution';
import { Gauge } from 'k6/metrics';
import { Client } from './lib/api.js';
import { constantLoad, loadTest } from './lib/options.js';
import { number, scaled, steadySeconds } from './lib/settings.js';
import { prepareTenants, tokenOf } from './lib/tenants.js';
import { visit } from './lib/visits.js';

const p95Ratio = new Gauge('others_p95_ratio');

const WARM_UP = 5; // seconds that are not measured: connections open and caches fill
const NOISY = Math.max(scaled(300), 20); // seconds: long enough for the alert
const MODEST = Math.max(scaled(120), 20);
const MODEST_RATE = 18; // an upper bound; the plan allows 20
const NOISY_RATE = number('NOISY_RATE', 50);
const seconds = MODEST + steadySeconds(420, 240);

export const { options, handleSummary } = loadTest(
  'noisy-tenant',
  {
    everyday: constantLoad(seconds, { vus: 6, tags: { role: 'other' } }),
    probe: {
      executor: 'per-vu-iterations',
      exec: 'probe',
      vus: 1,
      iterations: 1, // a single long one, which keeps its measurements
      maxDuration: `${seconds + 10}s`,
      tags: { role: 'other' },
    },
    noise: {
      executor: 'constant-arrival-rate',
      exec: 'noise',
      rate: NOISY_RATE,
      timeUnit: '1s',
      duration: `${seconds}s`,
      preAllocatedVUs: 10, // few, so that the concurrency limit does not shed them
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
  const others = prepareTenants(['free', 'pro', 'enterprise']);
  const [noisy] = prepareTenants(['free'], { members: 0, products: 1 });
  return { others, noisy };
}

/** A visit of one of the other tenants. */
export default function ({ others }) {
  visit(others, { tags: { role: 'other', phase: phase() } });
}

/** A request of the noisy tenant. In a modest phase only one iteration in a few sends it. */
export function noise({ noisy }) {
  const now = phase();
  if (now === 'modest' && exec.scenario.iterationInTest % Math.ceil(NOISY_RATE / MODEST_RATE) !== 0) {
    return;
  }
  const tags = { role: 'noisy', phase: now };
  const client = new Client(tokenOf(noisy.owner), { tags, strict: false, expects: [429] });
  client.get('/v1/products', { query: 'limit=20' });
}

/** The probe: all requests of the virtual user whose latencies are compared. */
export function probe({ others }) {
  const tenant = others[others.length - 1]; // enterprise: the probe stays within its rate limit
  const measured = { modest: [], noisy: [] }; // milliseconds
  while (secondsPassed() < seconds) {
    const now = phase();
    const client = new Client(tokenOf(tenant.owner), { tags: { role: 'other', phase: now } });
    const { timings } = client.get('/v1/products', { query: 'limit=20' });
    if (secondsPassed() > WARM_UP) {
      measured[now].push(timings.duration);
    }
    sleep(0.01); // many samples, for a stable p95
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
