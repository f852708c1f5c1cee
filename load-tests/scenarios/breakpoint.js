// Breakpoint: how many visits a second can the service take?
//
// Visits without think time, from 1 a second up to MAX_VISITS (60; a visit is about 3 requests), over 5 minutes. It
// ends, and k6 says that a threshold was crossed, as soon as more than 5 % of the requests fail or are refused, or p95
// is over 2 seconds: the rate at that moment is the answer. If it ends without that, the service can take more than
// MAX_VISITS. It may fire every alert about errors, latency and load.

import { testOptions } from './lib/options.js';
import { number, steadySeconds } from './lib/settings.js';
import { openShops } from './lib/tenants.js';
import { visit } from './lib/visits.js';

export const options = testOptions(
  {
    everyday: {
      executor: 'ramping-arrival-rate',
      startRate: 1,
      timeUnit: '1s',
      stages: [{ target: number('MAX_VISITS', 60), duration: `${steadySeconds(300)}s` }],
      preAllocatedVUs: 20,
      maxVUs: 200,
      gracefulStop: '5s',
    },
  },
  {
    server_errors: [limit('rate<0.05')],
    shed: [limit('rate<0.05')],
    'http_req_duration{scenario:everyday}': [limit('p(95)<2000')],
    // Visits for which no customer was free: the service held all of them up.
    dropped_iterations: [limit('count<100')],
  },
);

function limit(threshold) {
  return { threshold, abortOnFail: true, delayAbortEval: '5s' };
}

export function setup() {
  return openShops(['enterprise', 'enterprise', 'enterprise']);
}

export default function (shops) {
  visit(shops, { strict: false, hasty: true });
}
