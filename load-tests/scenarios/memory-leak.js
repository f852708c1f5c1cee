// MemoryHigh: the API allocates memory up to 93 % of its limit.
//
// For 6 minutes. Memory grows within seconds to 93 % of `process_memory_limit_bytes`, or by MEMORY_MIB. No request
// fails.

import { clearFaults, inject } from './lib/faults.js';
import { constantLoad, loadTest } from './lib/options.js';
import { number, steadySeconds } from './lib/settings.js';
import { expectSymptom, Metrics, symptomSeen } from './lib/symptoms.js';
import { prepareTenants } from './lib/tenants.js';
import { visit } from './lib/visits.js';

const seconds = steadySeconds();
const MIB = 1024 * 1024;
const FILL = 0.93;
const MOST_MIB = 1024; // the maximum that the fault accepts

export const { options, handleSummary } = loadTest(
  'memory-leak',
  { everyday: constantLoad(seconds) },
  {
    ...symptomSeen,
    checks: ['rate>0.99'],
    server_errors: ['rate<0.01'],
  },
);

export function setup() {
  const tenants = prepareTenants();
  const metrics = Metrics.read();
  const resident = metrics.sum('process_resident_memory_bytes');
  const limit = metrics.sum('process_memory_limit_bytes');
  // A process without a limit cannot come near it; growth is enough then.
  const headroom = limit > 0 ? (limit * FILL - resident) / MIB : 200;
  const mib = Math.min(MOST_MIB, Math.round(number('MEMORY_MIB', Math.max(1, headroom))));
  inject({ memory: { mib, mib_per_second: Math.max(50, Math.ceil(mib / 5)) } }, seconds);
  return { tenants, resident, mib };
}

export default function ({ tenants }) {
  visit(tenants);
}

export function teardown({ resident, mib }) {
  const grown = (Metrics.read().sum('process_resident_memory_bytes') - resident) / MIB;
  clearFaults();
  expectSymptom(`memory grew by ${grown.toFixed(0)} MiB (${mib} requested)`, grown > 0.8 * mib);
}
