// LoadShedding: more concurrent requests than the API allows.
//
// The product list takes 0.8 seconds longer on the API, and twice as many virtual users as the concurrency limit
// request nothing else, for 6 minutes. The API serves requests up to its limit, rejects the rest with 503, and
// recovers afterwards. Set GLASSHOUSE_MAX_CONCURRENT_REQUESTS for k6 too if the API's is not 32; with the API's
// default of 512 there would be 1024 virtual users. HighErrorRate and the burn-rate alerts may fire as well.

import { sleep } from 'k6';
import { Client } from './lib/api.js';
import { clearFaults, inject } from './lib/faults.js';
import { loadTest, rampingLoad } from './lib/options.js';
import { number, scaled, steadySeconds } from './lib/settings.js';
import { prepareTenants, tokenOf } from './lib/tenants.js';
import { oneOf } from './lib/visits.js';

const vus = 2 * number('GLASSHOUSE_MAX_CONCURRENT_REQUESTS', 32);
const ramp = scaled(20);
const steady = steadySeconds();

export const { options, handleSummary } = loadTest(
  'traffic-spike',
  {
    crowd: rampingLoad([
      [ramp, vus],
      [steady, vus],
      [ramp, 0],
    ]),
  },
  {
    shed: ['rate>0.05', 'rate<0.95'],
    // Admitted requests succeed, no slower than the fault makes them.
    'http_req_duration{scenario:crowd,expected_response:true}': ['p(95)<2000'],
  },
);

export function setup() {
  const tenants = prepareTenants(['enterprise', 'enterprise', 'enterprise'], { members: 1 });
  inject({ latency: { endpoint: '/v1/products', delay_ms: 800 } }, ramp + steady + ramp);
  return tenants;
}

export default function (tenants) {
  const token = tokenOf(oneOf(tenants).owner);
  if (token === null) {
    sleep(1); // the login was shed
    return;
  }
  const client = new Client(token, { strict: false });
  const response = client.get('/v1/products', { query: 'limit=20' });
  sleep(response.status === 503 ? 1 : 0.1); // honors Retry-After: 1
}

export function teardown() {
  clearFaults();
}
