// Soak: does the service run for long without leaking memory?
//
// VISITS (7) visits/s, about 20 requests/s, for 30 minutes; use hours for a real soak test (DURATION=8h). Visits begin at
// that rate however slow the service is, so that a service that becomes slower does not get less to do. No faults are
// injected, and no alert may fire.

import { Gauge } from 'k6/metrics';
import { routesWithin } from './lib/objectives.js';
import { arrivingVisits, loadTest } from './lib/options.js';
import { number, steadySeconds } from './lib/settings.js';
import { Metrics } from './lib/symptoms.js';
import { prepareTenants } from './lib/tenants.js';
import { visit } from './lib/visits.js';

const MIB = 1024 * 1024;
const grown = new Gauge('memory_grown_mib');

const visits = number('VISITS', 7);

export const { options, handleSummary } = loadTest(
  'soak',
  { everyday: arrivingVisits([[steadySeconds(1800), visits]], visits) },
  {
    // Each of up to 16 threads may keep the 19 MiB of a password hash. A leak grows beyond that.
    memory_grown_mib: ['value<320'],
    checks: ['rate>0.999'],
    server_errors: ['rate<0.001'],
    'http_req_duration{scenario:everyday}': ['p(95)<300', 'p(99)<1000'],
    ...routesWithin(),
    dropped_iterations: ['count<10'],
  },
);

export function setup() {
  return { tenants: prepareTenants(), before: residentMemory() };
}

export default function ({ tenants }) {
  visit(tenants);
}

export function teardown({ before }) {
  const after = residentMemory();
  grown.add(after > 0 ? (after - before) / MIB : Infinity); // without a measurement, the run fails
}

function residentMemory() {
  return Metrics.read().sum('process_resident_memory_bytes');
}
