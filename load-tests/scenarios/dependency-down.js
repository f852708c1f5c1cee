// NotReady: Redis is down.
//
// For 6 minutes. The script only generates load: stop Redis meanwhile, for example with `docker compose stop redis`.
// The API reports not ready and continues to serve requests, without cache and rate limits.

import { constantLoad, testOptions } from './lib/options.js';
import { steadySeconds } from './lib/settings.js';
import { prepareTenants } from './lib/tenants.js';
import { visit } from './lib/visits.js';

export const options = testOptions(
  { everyday: constantLoad(steadySeconds()) },
  {
    server_errors: ['rate<0.01'],
    'http_req_duration{scenario:everyday}': ['p(95)<3000'],
  },
);

export function setup() {
  return prepareTenants();
}

export default function (tenants) {
  visit(tenants, { strict: false });
}
