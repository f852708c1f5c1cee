// InstanceDown: the API is down.
//
// For 6 minutes. The script only generates load: stop the API meanwhile, for example with `docker compose stop api`.
// Requests fail while it is down; the threshold covers the ones that succeed.

import { constantLoad, loadTest } from './lib/options.js';
import { steadySeconds } from './lib/settings.js';
import { prepareTenants } from './lib/tenants.js';
import { visit } from './lib/visits.js';

export const { options, handleSummary } = loadTest(
  'instance-down',
  { everyday: constantLoad(steadySeconds()) },
  { 'http_req_duration{scenario:everyday,expected_response:true}': ['p(95)<1000'] },
);

export function setup() {
  return prepareTenants();
}

export default function (tenants) {
  visit(tenants, { strict: false });
}
