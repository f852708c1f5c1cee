// ErrorBudgetBurnFast, ErrorBudgetBurnSlow: a few percent of errors, for long.
//
// 4 % of the requests end in a 500: 40 times what an objective of 99.9 % allows, and too few for HighErrorRate.
// 55 minutes, because the alerts look back 1 and 6 hours; after the start of a new stack, 10 minutes are enough.

import { heal, inject } from './lib/faults.js';
import { customersFor, testOptions } from './lib/options.js';
import { steadySeconds } from './lib/settings.js';
import { openShops } from './lib/tenants.js';
import { visit } from './lib/visits.js';

const seconds = steadySeconds(55 * 60);

export const options = testOptions({ everyday: customersFor(seconds) }, { server_errors: ['rate>0.015', 'rate<0.08'] });

export function setup() {
  const shops = openShops();
  inject({ errors: { share: 0.04 } }, seconds);
  return shops;
}

export default function (shops) {
  visit(shops, { strict: false });
}

export function teardown() {
  heal();
}
