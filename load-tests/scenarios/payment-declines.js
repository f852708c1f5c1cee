// PaymentDeclinesHigh: the payment gateway declines 60 % of the charges.
//
// For 6 minutes, on the gateway simulator. The affected orders end as `payment_failed`, and their stock is released.
// No request fails.

import { setGatewayBehavior, resetGateway } from './lib/faults.js';
import { constantLoad, loadTest } from './lib/options.js';
import { steadySeconds } from './lib/settings.js';
import { prepareTenants } from './lib/tenants.js';
import { CHECKOUT_MIX, visit } from './lib/visits.js';

const seconds = steadySeconds();

export const { options, handleSummary } = loadTest(
  'payment-declines',
  { everyday: constantLoad(seconds) },
  {
    orders_declined: ['rate>0.4', 'rate<0.8'],
    server_errors: ['rate<0.01'],
  },
);

export function setup() {
  const tenants = prepareTenants();
  setGatewayBehavior({ decline_rate: 0.6 });
  return tenants;
}

export default function (tenants) {
  visit(tenants, { mix: CHECKOUT_MIX, strict: false });
}

export function teardown() {
  resetGateway();
}
