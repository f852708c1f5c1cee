// ErrorBudgetBurnSlow, LatencyBudgetBurnSlow: 1 % of the requests fail, and 10 % are slow.
//
// That is 10 times what the objectives allow: too little for the fast tier (14.4), and enough for the slow one (6). It takes 55
// minutes, because the alerts use windows of 30 minutes and 6 hours; on a new stack 10 minutes are enough.

import { burning, injectBurn } from './lib/burn.js';
import { loadTest } from './lib/options.js';
import { steadySeconds } from './lib/settings.js';
import { prepareTenants } from './lib/tenants.js';

export { failing, slow, sound, teardown } from './lib/burn.js';

const seconds = steadySeconds(55 * 60);

export const { options, handleSummary } = loadTest('slow-budget-burn', burning(seconds, { failed: 0.01, slow: 0.1 }), {
  server_errors: ['rate>0.005', 'rate<0.015'],
  dropped_iterations: ['count<10'],
});

export function setup() {
  const tenants = prepareTenants(['enterprise']);
  injectBurn(seconds);
  return tenants;
}
