// HighErrorRate: every fifth request ends in a 500.
//
// For 6 minutes, on the API. Customers see errors; orders that were placed stay paid. ErrorBudgetBurn may fire as well.

import { heal, inject } from './lib/faults.js';
import { customersFor, testOptions } from './lib/options.js';
import { steadySeconds } from './lib/settings.js';
import { openShops } from './lib/tenants.js';
import { visit } from './lib/visits.js';

const seconds = steadySeconds();

export const options = testOptions(
  { everyday: customersFor(seconds) },
  {
    // Well around the injected 20 %: a fault that does nothing fails the run, and so does one that does too much.
    server_errors: ['rate>0.1', 'rate<0.3'],
  },
);

export function setup() {
  const shops = openShops();
  inject({ errors: { share: 0.2 } }, seconds);
  return shops;
}

export default function (shops) {
  visit(shops, { strict: false });
}

export function teardown() {
  heal();
}
