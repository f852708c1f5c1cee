// LoadShedding: more requests at once than the API takes.
//
// The list of products takes 0.8 seconds longer on the API, and a crowd of twice as many customers as it serves at once
// asks for nothing else. It takes what it can, quickly refuses the rest (503), and is well again after 6 minutes. It
// needs GLASSHOUSE_MAX_CONCURRENT_REQUESTS in its own environment if the API's is not 32; with the API's default of 512
// the crowd would be 1024. HighErrorRate and the burn-rate alerts may fire as well.

import { sleep } from 'k6';
import { Client } from './lib/api.js';
import { heal, inject } from './lib/faults.js';
import { customersInStages, testOptions } from './lib/options.js';
import { number, scaled, steadySeconds } from './lib/settings.js';
import { openShops, tokenOf } from './lib/tenants.js';
import { oneOf } from './lib/visits.js';

const crowd = 2 * number('GLASSHOUSE_MAX_CONCURRENT_REQUESTS', 32);
const rise = scaled(20);
const steady = steadySeconds();

export const options = testOptions(
  {
    crowd: customersInStages([
      [rise, crowd],
      [steady, crowd],
      [rise, 0],
    ]),
  },
  {
    shed: ['rate>0.05', 'rate<0.95'],
    // Who gets in is served, and no slower than the fault makes it.
    'http_req_duration{scenario:crowd,expected_response:true}': ['p(95)<2000'],
  },
);

export function setup() {
  const shops = openShops(['enterprise', 'enterprise', 'enterprise'], { members: 1 });
  inject({ latency: { endpoint: '/v1/products', delay_ms: 800 } }, rise + steady + rise);
  return shops;
}

export default function (shops) {
  const token = tokenOf(oneOf(shops).owner);
  if (token === null) {
    sleep(1); // refused as well
    return;
  }
  const client = new Client(token, { strict: false });
  const response = client.get('/v1/products', { query: 'limit=20' });
  sleep(response.status === 503 ? 1 : 0.1); // the refusal says: try again in a moment
}

export function teardown() {
  heal();
}
