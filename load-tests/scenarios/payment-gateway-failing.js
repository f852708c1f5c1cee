// PaymentGatewayFailing: 90 % of the payment gateway's responses are errors.
//
// For 6 minutes, on the gateway simulator. Orders are accepted and stay pending, and the circuit breaker opens. After
// the run the worker settles them. No API request fails.

import { setGatewayBehavior, resetGateway } from './lib/faults.js';
import { constantLoad, loadTest } from './lib/options.js';
import { steadySeconds } from './lib/settings.js';
import { expectSymptom, Metrics, symptomSeen } from './lib/symptoms.js';
import { prepareTenants } from './lib/tenants.js';
import { CHECKOUT_MIX, visit } from './lib/visits.js';

const seconds = steadySeconds();

export const { options, handleSummary } = loadTest(
  'payment-gateway-failing',
  { everyday: constantLoad(seconds) },
  {
    ...symptomSeen,
    orders_pending: ['rate>0.5'],
    server_errors: ['rate<0.01'],
  },
);

export function setup() {
  const tenants = prepareTenants();
  const before = attempts();
  setGatewayBehavior({ error_rate: 0.9 });
  return { tenants, before };
}

export default function ({ tenants }) {
  visit(tenants, { mix: CHECKOUT_MIX, strict: false });
}

export function teardown({ before }) {
  const after = attempts();
  resetGateway();
  const errorRatio = (after.failed - before.failed) / (after.all - before.all);
  expectSymptom(`gateway calls fail (${(100 * errorRatio).toFixed(0)} %)`, errorRatio > 0.5);
}

function attempts() {
  const metrics = Metrics.read();
  const count = 'payment_gateway_request_duration_seconds_count';
  const all = metrics.sum(count);
  return { all, failed: all - metrics.sum(count, 'outcome="ok"') };
}
