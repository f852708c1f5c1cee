// Spike: does the service live through a sudden crowd, and is it well again after it?
//
// From 6 customers to CUSTOMERS (80) within seconds, for a minute, and back; 3 minutes in all. Some requests may be
// refused while the crowd is there; none may be an error. It may fire LoadShedding, HighResponseTime and the burn-rate
// alerts.

import { customersInStages, testOptions } from './lib/options.js';
import { number, scaled, steadySeconds } from './lib/settings.js';
import { openShops } from './lib/tenants.js';
import { visit } from './lib/visits.js';

const crowd = number('CUSTOMERS', 80);
const calm = 6;

export const options = testOptions(
  {
    everyday: customersInStages([
      [scaled(10), calm],
      [scaled(30), calm],
      [scaled(5), crowd],
      [steadySeconds(60), crowd],
      [scaled(5), calm],
      [scaled(60), calm],
    ]),
  },
  {
    server_errors: ['rate<0.01'],
    shed: ['rate<0.5'],
    'http_req_duration{scenario:everyday}': ['p(95)<2000'],
  },
);

export function setup() {
  return openShops(['pro', 'enterprise', 'enterprise']);
}

export default function (shops) {
  visit(shops, { strict: false });
}
