// HighResponseTime: the product list takes 1.5 seconds longer.
//
// For 6 minutes, on the API. No request fails; about a third of the requests are slow. LatencyBudgetBurn may fire as
// well.

import { clearFaults, inject } from './lib/faults.js';
import { constantLoad, loadTest } from './lib/options.js';
import { steadySeconds } from './lib/settings.js';
import { prepareTenants } from './lib/tenants.js';
import { visit } from './lib/visits.js';

const seconds = steadySeconds();

export const { options, handleSummary } = loadTest(
  'high-response-time',
  { everyday: constantLoad(seconds) },
  {
    'http_req_duration{scenario:everyday}': ['p(95)>1000', 'p(95)<3000'],
    'http_req_duration{scenario:everyday,name:/v1/products}': ['med>1400'],
    server_errors: ['rate<0.01'],
  },
);

export function setup() {
  const tenants = prepareTenants();
  inject({ latency: { endpoint: '/v1/products', delay_ms: 1500 } }, seconds);
  return tenants;
}

export default function (tenants) {
  visit(tenants, { strict: false });
}

export function teardown() {
  clearFaults();
}
