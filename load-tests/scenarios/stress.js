// Stress: does the service stay well with five times the customers of an ordinary day?
//
// Up to CUSTOMERS (60) customers, about 90 requests a second, for 5 minutes. Answers may become slower, and a few may
// be refused; none may be an error. On a small machine it may fire LoadShedding, HighResponseTime and the burn-rate
// alerts.

import { customersInStages, testOptions } from './lib/options.js';
import { number, scaled, steadySeconds } from './lib/settings.js';
import { openShops } from './lib/tenants.js';
import { visit } from './lib/visits.js';

const customers = number('CUSTOMERS', 60);

export const options = testOptions(
  {
    everyday: customersInStages([
      [scaled(60), customers / 2],
      [scaled(30), customers],
      [steadySeconds(180), customers],
      [scaled(30), 0],
    ]),
  },
  {
    server_errors: ['rate<0.01'],
    shed: ['rate<0.1'],
    'http_req_duration{scenario:everyday}': ['p(95)<1000'],
  },
);

// Tenants that pay for this much: the rate limit of free ones is not what is asked about here.
export function setup() {
  return openShops(['pro', 'enterprise', 'enterprise']);
}

export default function (shops) {
  visit(shops, { strict: false });
}
