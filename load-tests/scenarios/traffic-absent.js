// TrafficAbsent: customers no longer come, although the service is up.
//
// 35 minutes of load, 15 without, and 5 in which the traffic is back. No fault is injected.

import { constantLoad, loadTest } from './lib/options.js';
import { scaled } from './lib/settings.js';
import { prepareTenants } from './lib/tenants.js';
import { visit } from './lib/visits.js';

const before = scaled(35 * 60);
const absent = scaled(15 * 60);
const after = scaled(5 * 60);

export const { options, handleSummary } = loadTest(
  'traffic-absent',
  {
    before: constantLoad(before, { vus: 4 }),
    after: { ...constantLoad(after, { vus: 4 }), startTime: `${before + absent}s` },
  },
  { checks: ['rate>0.99'] },
);

export function setup() {
  return prepareTenants();
}

export default function (tenants) {
  visit(tenants);
}
