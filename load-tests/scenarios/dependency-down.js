// NotReady: the database is down.
//
// For 6 minutes. The script only generates load: stop the database meanwhile, for example with `docker compose stop
// postgres`. The API reports not ready, and responds with 503 until the database is back.

import { constantLoad, loadTest } from './lib/options.js';
import { steadySeconds } from './lib/settings.js';
import { prepareTenants } from './lib/tenants.js';
import { visit } from './lib/visits.js';

export const { options, handleSummary } = loadTest(
  'dependency-down',
  { everyday: constantLoad(steadySeconds()) },
  { server_errors: ['rate>0.1'] },
);

export function setup() {
  return prepareTenants();
}

export default function (tenants) {
  visit(tenants, { strict: false });
}
