// Average load: is the service well on an ordinary day?
//
// Twelve customers, about 20 requests a second, for 3 minutes. It breaks nothing, and no alert may fire.
// CUSTOMERS=n for fewer, as the service `average-load` of docker-compose.yml has it.

import { customersFor, testOptions } from './lib/options.js';
import { number, steadySeconds } from './lib/settings.js';
import { openShops } from './lib/tenants.js';
import { visit } from './lib/visits.js';

export const options = testOptions(
  { everyday: customersFor(steadySeconds(180), { customers: number('CUSTOMERS', 12) }) },
  {
    checks: ['rate>0.999'],
    server_errors: ['rate<0.001'],
    rate_limited: ['rate==0'],
    'http_req_duration{scenario:everyday}': ['p(95)<300', 'p(99)<1000'],
  },
);

export function setup() {
  return openShops();
}

export default function (shops) {
  visit(shops);
}
