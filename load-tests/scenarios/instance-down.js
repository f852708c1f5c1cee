// InstanceDown: the API is gone.
//
// For 6 minutes. This script is only the customers: somebody has to stop the API meanwhile, such as with
// `docker compose stop api`. Requests fail then, and are expected to; those that are answered are answered well.

import { customersFor, testOptions } from './lib/options.js';
import { steadySeconds } from './lib/settings.js';
import { openShops } from './lib/tenants.js';
import { visit } from './lib/visits.js';

export const options = testOptions(
  { everyday: customersFor(steadySeconds()) },
  { 'http_req_duration{scenario:everyday,expected_response:true}': ['p(95)<1000'] },
);

export function setup() {
  return openShops();
}

export default function (shops) {
  visit(shops, { strict: false });
}
