// PaymentDeclinesHigh: the payment gateway declines six of ten charges.
//
// For 6 minutes, on the gateway simulator. Those orders end as `payment_failed` and their stock is released. No request
// fails.

import { controlGateway, releaseGateway } from './lib/faults.js';
import { customersFor, testOptions } from './lib/options.js';
import { steadySeconds } from './lib/settings.js';
import { openShops } from './lib/tenants.js';
import { SALE, visit } from './lib/visits.js';

const seconds = steadySeconds();

export const options = testOptions(
  { everyday: customersFor(seconds) },
  {
    orders_declined: ['rate>0.4', 'rate<0.8'],
    server_errors: ['rate<0.01'],
  },
);

export function setup() {
  const shops = openShops();
  controlGateway({ decline_rate: 0.6 });
  return shops;
}

export default function (shops) {
  visit(shops, { mix: SALE, strict: false });
}

export function teardown() {
  releaseGateway();
}
