// Breakpoint: at which rate does the service stop meeting its limits?
//
// Visits without think time, ramping from 1/s to MAX_VISITS/s (60; a visit is about 3 requests) over 5 minutes. The
// run aborts with a crossed threshold (exit code 99) once more than 5 % of the requests fail or are shed, or p95
// exceeds 2 seconds; the arrival rate at that moment is the result. A run that completes means that the capacity is
// above MAX_VISITS. Any alert about errors, latency or load may fire.

import { loadTest } from './lib/options.js';
import { number, steadySeconds } from './lib/settings.js';
import { prepareTenants } from './lib/tenants.js';
import { visit } from './lib/visits.js';

export const { options, handleSummary } = loadTest(
  'breakpoint',
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
    // Iterations without a free virtual user: all of them were waiting for the service.
    dropped_iterations: [limit('count<100')],
  },
);

function limit(threshold) {
  return { threshold, abortOnFail: true, delayAbortEval: '5s' };
}

export function setup() {
  return prepareTenants(['enterprise', 'enterprise', 'enterprise']);
}

export default function (tenants) {
  visit(tenants, { strict: false, thinkTime: false });
}
