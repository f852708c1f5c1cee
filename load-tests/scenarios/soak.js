// Soak: does the service run for long without leaking memory?
//
// 12 virtual users, about 20 requests/s, for 30 minutes; use hours for a real soak test (DURATION=8h). No faults are
// injected, and no alert may fire.

import { constantLoad, testOptions } from './lib/options.js';
import { steadySeconds } from './lib/settings.js';
import { expectSymptom, Metrics, symptomSeen } from './lib/symptoms.js';
import { prepareTenants } from './lib/tenants.js';
import { visit } from './lib/visits.js';

// Each of up to 16 threads may keep the 19 MiB of a password hash. A leak grows beyond that.
const MIB = 1024 * 1024;
const MAY_GROW = 320 * MIB;

export const options = testOptions(
  { everyday: constantLoad(steadySeconds(1800)) },
  {
    ...symptomSeen,
    checks: ['rate>0.999'],
    server_errors: ['rate<0.001'],
    'http_req_duration{scenario:everyday}': ['p(95)<300', 'p(99)<1000'],
  },
);

export function setup() {
  const tenants = prepareTenants();
  return { tenants, memory: residentMemory() };
}

export default function ({ tenants }) {
  visit(tenants);
}

export function teardown({ memory }) {
  const now = residentMemory();
  const mib = (bytes) => `${(bytes / MIB).toFixed(0)} MiB`;
  const what = `resident memory stays bounded (${mib(memory)} at the start, ${mib(now)} at the end)`;
  expectSymptom(what, now > 0 && now < memory + MAY_GROW);
}

function residentMemory() {
  return Metrics.read().sum('process_resident_memory_bytes');
}
