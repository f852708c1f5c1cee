// Soak: does the service stay well for long, without leaking memory or connections?
//
// Twelve customers, about 20 requests a second, for 30 minutes; take hours for a real one (DURATION=8h). It breaks
// nothing, and no alert may fire.

import { customersFor, testOptions } from './lib/options.js';
import { steadySeconds } from './lib/settings.js';
import { expectSymptom, Metrics, symptomSeen } from './lib/symptoms.js';
import { openShops } from './lib/tenants.js';
import { visit } from './lib/visits.js';

// Every thread that ever hashed a password may keep the 19 MiB that it took; 16 of them do. A leak goes on beyond that.
const MIB = 1024 * 1024;
const MAY_GROW = 320 * MIB;

export const options = testOptions(
  { everyday: customersFor(steadySeconds(1800)) },
  {
    ...symptomSeen,
    checks: ['rate>0.999'],
    server_errors: ['rate<0.001'],
    'http_req_duration{scenario:everyday}': ['p(95)<300', 'p(99)<1000'],
  },
);

export function setup() {
  const shops = openShops();
  return { shops, memory: residentMemory() };
}

export default function ({ shops }) {
  visit(shops);
}

export function teardown({ memory }) {
  const now = residentMemory();
  const mib = (bytes) => `${(bytes / MIB).toFixed(0)} MiB`;
  const what = `memory stays in bounds (${mib(memory)} at the start, ${mib(now)} at the end)`;
  expectSymptom(what, now > 0 && now < memory + MAY_GROW);
}

function residentMemory() {
  return Metrics.read().sum('process_resident_memory_bytes');
}
