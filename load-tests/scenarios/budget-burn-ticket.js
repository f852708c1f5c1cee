// ErrorBudgetBurnTicket, LatencyBudgetBurnTicket: 0.2 % of the requests fail, and 2 % are slow.
//
// That is twice what the objectives allow, which only the slowest tier reports. It takes 55 minutes on a new stack: 25 with the
// faults, and 30 in which three times as many requests succeed, so that the ratio of the last 6 hours is below the objective again.

import { arrivals, burning, injectBurn, RATE } from './lib/burn.js';
import { loadTest } from './lib/options.js';
import { scaled } from './lib/settings.js';
import { prepareTenants } from './lib/tenants.js';

export { failing, slow, sound, teardown } from './lib/burn.js';

const seconds = scaled(25 * 60);
const recovery = scaled(30 * 60);

export const { options, handleSummary } = loadTest(
  'budget-burn-ticket',
  {
    ...burning(seconds, { failed: 0.002, slow: 0.02 }),
    recovery: { ...arrivals('sound', 2 * RATE, recovery), startTime: `${seconds + 5}s` },
  },
  {
    server_errors: ['rate>0.0002', 'rate<0.002'],
    dropped_iterations: ['count<100'], // one of a hundred
  },
);

export function setup() {
  const tenants = prepareTenants(['enterprise']);
  injectBurn(seconds + recovery);
  return tenants;
}
