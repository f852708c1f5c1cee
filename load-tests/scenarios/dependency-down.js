// NotReady: Redis is gone.
//
// For 6 minutes. This script is only the customers: somebody has to stop Redis meanwhile, such as with
// `docker compose stop redis`. The API says that it is not ready, and still serves everybody, without cache and rate
// limits.

import { customersFor, testOptions } from './lib/options.js';
import { steadySeconds } from './lib/settings.js';
import { openShops } from './lib/tenants.js';
import { visit } from './lib/visits.js';

export const options = testOptions(
  { everyday: customersFor(steadySeconds()) },
  {
    server_errors: ['rate<0.01'],
    'http_req_duration{scenario:everyday}': ['p(95)<3000'],
  },
);

export function setup() {
  return openShops();
}

export default function (shops) {
  visit(shops, { strict: false });
}
