// DeadLetters: the notifier rejects notifications, so their messages are given up.
//
// For 6 minutes, divided by SPEED. No request fails; the confirmations are not sent. The messages stay dead letters after
// the run, until `glasshouse dead-letters requeue --all`.

import { clearFaults, inject } from './lib/faults.js';
import { constantLoad, loadTest } from './lib/options.js';
import { steadySeconds, urls } from './lib/settings.js';
import { expectSymptom, Metrics, symptomSeen } from './lib/symptoms.js';
import { prepareTenants } from './lib/tenants.js';
import { CHECKOUT_MIX, visit } from './lib/visits.js';

const seconds = steadySeconds(360, 30);

export const { options, handleSummary } = loadTest(
  'dead-letters',
  { everyday: constantLoad(seconds, { vus: 4 }) },
  {
    ...symptomSeen,
    checks: ['rate>0.99'],
    server_errors: ['rate<0.01'],
  },
);

export function setup() {
  const tenants = prepareTenants();
  inject({ rejected_notifications: { share: 0.5 } }, seconds, urls.workerManagement);
  return { tenants };
}

export default function ({ tenants }) {
  visit(tenants, { mix: CHECKOUT_MIX });
}

export function teardown() {
  const letters = Metrics.read(urls.workerManagement).sum('outbox_dead_letters');
  clearFaults(urls.workerManagement);
  expectSymptom(`messages are given up (${letters} dead letters)`, letters > 0);
}
