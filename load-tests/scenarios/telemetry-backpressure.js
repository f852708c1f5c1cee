// TelemetryDropped: the receiver of traces and logs is gone.
//
// For 6 minutes. This script is only the customers: somebody has to stop the receiver meanwhile, such as with
// `docker compose stop collector`. Spans and lines are dropped and counted; no customer notices.

import { customersFor, testOptions } from './lib/options.js';
import { steadySeconds } from './lib/settings.js';
import { openShops } from './lib/tenants.js';
import { visit } from './lib/visits.js';

export const options = testOptions(
  { everyday: customersFor(steadySeconds(), { customers: 16 }) },
  {
    checks: ['rate>0.999'],
    server_errors: ['rate<0.001'],
    'http_req_duration{scenario:everyday}': ['p(95)<1000'],
  },
);

export function setup() {
  return openShops();
}

export default function (shops) {
  visit(shops);
}
