// HighResponseTime: the list of products takes 1.5 seconds longer.
//
// For 6 minutes, on the API. Nothing fails; about a third of all requests are slow. LatencyBudgetBurn may fire as well.

import { heal, inject } from './lib/faults.js';
import { customersFor, testOptions } from './lib/options.js';
import { steadySeconds } from './lib/settings.js';
import { openShops } from './lib/tenants.js';
import { visit } from './lib/visits.js';

const seconds = steadySeconds();

export const options = testOptions(
  { everyday: customersFor(seconds) },
  {
    'http_req_duration{scenario:everyday}': ['p(95)>1000', 'p(95)<3000'],
    'http_req_duration{scenario:everyday,name:/v1/products}': ['med>1400'],
    server_errors: ['rate<0.01'],
  },
);

export function setup() {
  const shops = openShops();
  inject({ latency: { endpoint: '/v1/products', delay_ms: 1500 } }, seconds);
  return shops;
}

export default function (shops) {
  visit(shops, { strict: false });
}

export function teardown() {
  heal();
}
