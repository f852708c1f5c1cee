// OutboxBacklog: the worker delivers no messages.
//
// For 6 minutes on the worker, and for at least 2 whatever SPEED is: the alert needs a message that is a minute old.
// No request fails; confirmations are late. After the run the worker delivers the backlog.

import { clearFaults, inject } from './lib/faults.js';
import { constantLoad, loadTest } from './lib/options.js';
import { steadySeconds, urls } from './lib/settings.js';
import { expectSymptom, Metrics, symptomSeen } from './lib/symptoms.js';
import { prepareTenants } from './lib/tenants.js';
import { CHECKOUT_MIX, visit } from './lib/visits.js';

const seconds = steadySeconds(360, 120);

export const { options, handleSummary } = loadTest(
  'outbox-backlog',
  { everyday: constantLoad(seconds, { vus: 8 }) },
  {
    ...symptomSeen,
    checks: ['rate>0.99'],
    server_errors: ['rate<0.01'],
  },
);

export function setup() {
  const tenants = prepareTenants();
  inject({ stalled_outbox: {} }, seconds, urls.workerManagement);
  return { tenants, begun: Date.now() };
}

export default function ({ tenants }) {
  visit(tenants, { mix: CHECKOUT_MIX });
}

export function teardown({ begun }) {
  const oldest = Metrics.read(urls.workerManagement).sum('outbox_oldest_age_seconds');
  clearFaults(urls.workerManagement);
  const lasted = (Date.now() - begun) / 1000;
  const what = `the outbox has a backlog (the oldest message waits for ${oldest.toFixed(0)} of ${lasted.toFixed(0)} s)`;
  expectSymptom(what, oldest > 0.5 * lasted);
}
