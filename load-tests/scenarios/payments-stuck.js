// PaymentsStuck: the payment gateway fails for longer than payments may stay open.
//
// For 10 minutes, and for at least 3 at any SPEED, on the gateway simulator. PaymentGatewayFailing fires first. After the run the worker
// settles the payments. No API request fails.

import { setGatewayBehavior, resetGateway } from './lib/faults.js';
import { constantLoad, loadTest } from './lib/options.js';
import { steadySeconds } from './lib/settings.js';
import { prepareTenants } from './lib/tenants.js';
import { CHECKOUT_MIX, visit } from './lib/visits.js';

export const { options, handleSummary } = loadTest(
  'payments-stuck',
  { everyday: constantLoad(steadySeconds(600, 180), { vus: 2 }) },
  { orders_pending: ['rate>0.5'], server_errors: ['rate<0.01'] },
);

export function setup() {
  const tenants = prepareTenants();
  setGatewayBehavior({ error_rate: 1 });
  return tenants;
}

export default function (tenants) {
  visit(tenants, { mix: CHECKOUT_MIX, strict: false });
}

export function teardown() {
  resetGateway();
}
