// OutboxBacklog: the worker delivers nothing.
//
// For 6 minutes, on the worker, and at least 2 minutes, whatever SPEED is: the alert waits for a message that is a
// minute old. Customers notice nothing but a late confirmation. After the end the worker delivers what has waited.

import { heal, inject } from './lib/faults.js';
import { customersFor, testOptions } from './lib/options.js';
import { steadySeconds, urls } from './lib/settings.js';
import { expectSymptom, Metrics, symptomSeen } from './lib/symptoms.js';
import { openShops } from './lib/tenants.js';
import { SALE, visit } from './lib/visits.js';

const seconds = steadySeconds(360, 120);

export const options = testOptions(
  { everyday: customersFor(seconds, { customers: 8 }) },
  {
    ...symptomSeen,
    checks: ['rate>0.99'],
    server_errors: ['rate<0.01'],
  },
);

export function setup() {
  const shops = openShops();
  inject({ stalled_outbox: {} }, seconds, urls.workerManagement);
  return { shops, begun: Date.now() };
}

export default function ({ shops }) {
  visit(shops, { mix: SALE });
}

export function teardown({ begun }) {
  const oldest = Metrics.read(urls.workerManagement).sum('outbox_oldest_age_seconds');
  heal(urls.workerManagement);
  const lasted = (Date.now() - begun) / 1000;
  const what = `messages wait (the oldest for ${oldest.toFixed(0)} of ${lasted.toFixed(0)} seconds)`;
  expectSymptom(what, oldest > 0.5 * lasted);
}
