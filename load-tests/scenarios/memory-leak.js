// MemoryHigh: the API keeps memory that it does not need.
//
// For 6 minutes: within seconds it grows to 93 % of its limit (process_memory_limit_bytes), which leaves it alive, or
// by MEMORY_MIB. Customers notice nothing.

import { heal, inject } from './lib/faults.js';
import { customersFor, testOptions } from './lib/options.js';
import { number, steadySeconds } from './lib/settings.js';
import { expectSymptom, Metrics, symptomSeen } from './lib/symptoms.js';
import { openShops } from './lib/tenants.js';
import { visit } from './lib/visits.js';

const seconds = steadySeconds();
const MIB = 1024 * 1024;
const FILL = 0.93;
const MOST_MIB = 1024; // what the fault accepts

export const options = testOptions(
  { everyday: customersFor(seconds) },
  {
    ...symptomSeen,
    checks: ['rate>0.99'],
    server_errors: ['rate<0.01'],
  },
);

export function setup() {
  const shops = openShops();
  const metrics = Metrics.read();
  const resident = metrics.sum('process_resident_memory_bytes');
  const limit = metrics.sum('process_memory_limit_bytes');
  // A process without a limit cannot come near it; there it is enough to see that it grows.
  const missing = limit > 0 ? (limit * FILL - resident) / MIB : 200;
  const mib = Math.min(MOST_MIB, Math.round(number('MEMORY_MIB', Math.max(1, missing))));
  inject({ memory: { mib, mib_per_second: Math.max(50, Math.ceil(mib / 5)) } }, seconds);
  return { shops, resident, mib };
}

export default function ({ shops }) {
  visit(shops);
}

export function teardown({ resident, mib }) {
  const grown = (Metrics.read().sum('process_resident_memory_bytes') - resident) / MIB;
  heal();
  expectSymptom(`memory grew by ${grown.toFixed(0)} MiB, and was told to by ${mib}`, grown > 0.8 * mib);
}
