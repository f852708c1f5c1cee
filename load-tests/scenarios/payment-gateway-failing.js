// PaymentGatewayFailing: the payment gateway fails nine of ten requests.
//
// For 6 minutes, on the gateway simulator. Orders are accepted and stay pending, and the circuit breaker opens; the
// worker settles them after the end. No request of a customer fails.

import { controlGateway, releaseGateway } from './lib/faults.js';
import { customersFor, testOptions } from './lib/options.js';
import { steadySeconds } from './lib/settings.js';
import { expectSymptom, Metrics, symptomSeen } from './lib/symptoms.js';
import { openShops } from './lib/tenants.js';
import { SALE, visit } from './lib/visits.js';

const seconds = steadySeconds();

export const options = testOptions(
  { everyday: customersFor(seconds) },
  {
    ...symptomSeen,
    orders_pending: ['rate>0.5'],
    server_errors: ['rate<0.01'],
  },
);

export function setup() {
  const shops = openShops();
  const before = attempts();
  controlGateway({ error_rate: 0.9 });
  return { shops, before };
}

export default function ({ shops }) {
  visit(shops, { mix: SALE, strict: false });
}

export function teardown({ before }) {
  const after = attempts();
  releaseGateway();
  const failed = (after.failed - before.failed) / (after.all - before.all);
  expectSymptom(`attempts to reach the gateway fail (${(100 * failed).toFixed(0)} %)`, failed > 0.5);
}

function attempts() {
  const metrics = Metrics.read();
  const count = 'payment_gateway_request_duration_seconds_count';
  const all = metrics.sum(count);
  return { all, failed: all - metrics.sum(count, 'outcome="ok"') };
}
